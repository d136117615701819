"""Models of two layers and 32 dimensions, made on the spot from a seed."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

VOCABULARY = 48


def tiny_llama(*, seed: int = 0, vocabulary: int = VOCABULARY) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.2, pad_token_id=0,
        bos_token_id=None, eos_token_id=2,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def tiny_gpt2(*, seed: int = 0, vocabulary: int = VOCABULARY) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=128, initializer_range=0.2,
        pad_token_id=0, bos_token_id=None, eos_token_id=2,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


SHAPES = {"llama": tiny_llama, "gpt2": tiny_gpt2}
