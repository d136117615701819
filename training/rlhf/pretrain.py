"""Pretraining: a byte-level tokenizer and a small causal model from scratch on text.

    python -m training.rlhf.pretrain RUN_DIR

The steps are fixed, never the seconds: what is learned must not depend on a machine's neighbours. The tokenizer knows
the tokens of our chat template from the start, so that SFT need not add any. Muon on the weight matrices learns facts
in a fraction of the tokens that Adam takes at this size; embeddings and gains stay with Adam.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from training.rlhf import checkpoints
from training.rlhf.attempt import run_stage
from training.rlhf.chance import generator, shuffled
from training.rlhf.contract import stages
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import DataRefused
from training.rlhf.contract.records import Text
from training.rlhf.inputs import only
from training.rlhf.models import compute_in, load_causal_lm, save_causal_lm, trunk_of
from training.rlhf.muon import Muon
from training.rlhf.release import ModelFacts
from training.rlhf.run import Run
from training.rlhf.sampling import Limits, sample_responses
from training.rlhf.steps import adam, micro_batches, rate_factor, set_rate, take_step
from training.rlhf.texts import Windows, read_windows
from training.rlhf.tokens import (
    CHAT_TEMPLATE,
    CHAT_TOKENS,
    END_OF_TEXT,
    PAD,
    ChatTokens,
    load_tokenizer,
    prepare_tokens,
)

VOCABULARY_TEXT_CHARACTERS = 8_000_000
"""Merges of a small vocabulary are settled long before this much text."""
VALIDATION_WINDOWS = 256
SAMPLE_START_TOKENS = 8
SAMPLE_TOKENS = 48


def train(run: Run) -> None:
    config, settings = run.config, run.config.pretrain
    assert settings is not None
    checkpoint = run.resume()
    texts = only(Text, run.inputs.rows(config.data.train, "text"))
    tokenizer = load_tokenizer(checkpoint.model) if checkpoint else train_tokenizer(texts, settings, seed=config.seed)
    tokens = prepare_tokens(tokenizer, config.tokens, config.conditioning)
    windows = read_training_windows(tokens, texts, settings, seed=config.seed)
    validation = read_validation_windows(run, tokens, settings)
    model = load_causal_lm(checkpoint.model, device=run.device) if checkpoint else make_model(config, tokens)
    model.to(run.device).train()  # type: ignore[arg-type]
    optimizers = make_optimizers(model, config, settings)
    figures: dict[str, float] = {}
    if checkpoint:
        state = checkpoints.load_trainer(checkpoint)
        figures = state["figures"]
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    run.model_facts = ModelFacts(kind="base", stop_token_ids=tokens.stop_token_ids)

    def save(folder: Path) -> None:
        save_causal_lm(model, tokens, folder)
        states = [optimizer.state_dict() for optimizer in optimizers]
        checkpoints.save_trainer(folder, {"optimizers": states, "figures": figures})

    run.plan(settings.steps)
    run.phase("train")
    for step in range((checkpoint.step if checkpoint else 0) + 1, settings.steps + 1):
        started = time.monotonic()
        set_rate(optimizers, rate_factor(step, steps=settings.steps, optimizer=config.optimizer))
        numbers = windows.of_step(step, size=settings.sequences_per_step)
        loss = add_gradients(run, model, windows.take(numbers))
        figures["train_loss"], norm = take_step(
            optimizers, list(model.parameters()), loss=loss, clip_norm=config.optimizer.clip_norm, step=step,
            prompts=[f"window {number}" for number in numbers],
        )  # fmt: skip
        run.log(step, {
            "loss": figures["train_loss"], "gradient_norm": norm, "learning_rate": optimizers[-1].param_groups[0]["lr"],
            "tokens": step * settings.tokens_per_step,
            "epoch": step * settings.sequences_per_step / len(windows),
            "tokens_per_second": settings.tokens_per_step / (time.monotonic() - started),
        })  # fmt: skip
        if validation is not None and (step % settings.validate_every_steps == 0 or step == settings.steps):
            figures["validation_loss"] = validate(run, model, validation)
            run.log(step, {"loss": figures["validation_loss"]}, split="valid")
        if step % config.logging.samples_every_steps == 0 or step == settings.steps:
            write_samples(run, model, tokens, windows if validation is None else validation, step=step)
        run.end_step(step, save)

    run.release(settings.steps, report={
        "stage": "pretrain", "steps": settings.steps, "tokens": settings.steps * settings.tokens_per_step,
        "documents": len(texts), "epochs": settings.steps * settings.sequences_per_step / len(windows),
        "vocabulary": tokens.vocabulary, "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **figures, "seconds": round(run.progress.seconds, 1),
    })  # fmt: skip


def train_tokenizer(texts: Sequence[Text], settings: stages.Pretrain, *, seed: int) -> PreTrainedTokenizerBase:
    """Byte-level BPE: every text can be written in it, and none needs an "unknown" token."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary, special_tokens=[PAD, END_OF_TEXT, *CHAT_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(_some_of(texts, seed=seed), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END_OF_TEXT, pad_token=PAD, extra_special_tokens=list(CHAT_TOKENS),
        chat_template=CHAT_TEMPLATE, model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def _some_of(texts: Sequence[Text], *, seed: int) -> Iterator[str]:
    """Documents in a shuffled order, up to VOCABULARY_TEXT_CHARACTERS of them."""
    characters = 0
    for place in shuffled(len(texts), seed=seed, purpose="order of documents"):
        yield texts[place].text
        characters += len(texts[place].text)
        if characters >= VOCABULARY_TEXT_CHARACTERS:
            return


def read_training_windows(
    tokens: ChatTokens, texts: Sequence[Text], settings: stages.Pretrain, *, seed: int
) -> Windows:
    """As much of the text as the steps will see. Raises DataRefused if it does not fill one step."""
    windows = read_windows(
        tokens, texts, window_tokens=settings.sequence_tokens, seed=seed,
        enough_tokens=settings.steps * settings.tokens_per_step,
    )  # fmt: skip
    if len(windows) < settings.sequences_per_step:
        raise DataRefused(
            f"the text has {len(windows.stream)} tokens in {len(texts)} documents; "
            f"one step of pretrain.tokens_per_step takes {settings.tokens_per_step}"
        )
    return windows


def read_validation_windows(run: Run, tokens: ChatTokens, settings: stages.Pretrain) -> Windows | None:
    """At most VALIDATION_WINDOWS of held-out text; None where the config names none."""
    if not run.config.data.validation:
        return None
    texts = only(Text, run.inputs.rows(run.config.data.validation, "text"))
    enough = VALIDATION_WINDOWS * settings.sequence_tokens
    return read_windows(tokens, texts, window_tokens=settings.sequence_tokens, seed=0, enough_tokens=enough)


def make_model(config: RunConfig, tokens: ChatTokens) -> PreTrainedModel:
    """A Llama with fresh weights drawn from the seed; input and output embeddings are one matrix."""
    assert config.pretrain is not None
    shape = config.pretrain.shape
    torch.manual_seed(config.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokens.vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.feed_forward,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=max(config.lengths.context_tokens, config.pretrain.sequence_tokens),
            tie_word_embeddings=True,
            pad_token_id=tokens.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokens.stop_token_ids[0],
        )  # fmt: skip
    )


def make_optimizers(
    model: PreTrainedModel, config: RunConfig, settings: stages.Pretrain
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between the embeddings and Adam for everything else, or Adam for all."""
    if settings.kind == "adamw":
        return [adam(model.parameters(), config.optimizer)]
    embeddings = model.get_input_embeddings()
    matrices = [
        weight for weight in trunk_of(model).parameters() if weight.ndim == 2 and weight is not embeddings.weight
    ]
    others = [weight for weight in model.parameters() if not any(weight is matrix for matrix in matrices)]
    muon = Muon(
        matrices, lr=settings.muon.learning_rate, momentum=settings.muon.momentum,
        weight_decay=settings.muon.weight_decay,
    )  # fmt: skip
    return [muon, adam(others, config.optimizer)]


def add_gradients(run: Run, model: PreTrainedModel, batch: Tensor) -> Tensor:
    """Backward through windows (B, T + 1). Returns the mean loss of a predicted token."""
    predicted = batch[:, 1:].numel()
    total = torch.zeros((), device=run.device)
    for rows in micro_batches([batch.shape[1]] * len(batch), tokens=run.micro_batch_tokens):
        run.poll()
        loss = window_loss(run, model, batch[rows]) / predicted
        loss.backward()
        total += loss.detach()
    return total


def window_loss(run: Run, model: PreTrainedModel, batch: Tensor) -> Tensor:
    """Sum of the surprise in nats at every token of windows (B, T + 1) but the first of each."""
    batch = batch.to(run.device)
    with compute_in(run.config.precision, run.device):
        logits = model(input_ids=batch[:, :-1], use_cache=False).logits
    return F.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten(), reduction="sum")


@torch.no_grad()
def validate(run: Run, model: PreTrainedModel, windows: Windows) -> float:
    """Mean loss of a token of held-out text, in nats."""
    model.eval()
    batch = windows.take(range(len(windows)))
    total = 0.0
    for rows in micro_batches([batch.shape[1]] * len(batch), tokens=run.micro_batch_tokens):
        run.poll()
        total += float(window_loss(run, model, batch[rows]))
    model.train()
    return total / batch[:, 1:].numel()


def write_samples(run: Run, model: PreTrainedModel, tokens: ChatTokens, windows: Windows, *, step: int) -> None:
    """How the model goes on from the first tokens of a few windows."""
    starts = windows.take(range(min(run.config.logging.samples, len(windows))))[:, :SAMPLE_START_TOKENS].tolist()
    if not starts:
        return
    answers = sample_responses(
        model, starts, responses_per_prompt=1, stop_token_ids=tokens.stop_token_ids,
        limits=Limits(response_tokens=SAMPLE_TOKENS, context_tokens=SAMPLE_START_TOKENS + SAMPLE_TOKENS),
        temperature=1.0, generator=generator(run.config.seed, "samples", step),
        batch_tokens=run.micro_batch_tokens,
    )  # fmt: skip
    model.train()
    for start, (answer,) in zip(starts, answers, strict=True):
        run.sample(step, prompt=tokens.text(start), text=tokens.text(answer.token_ids), ended=answer.ended)


if __name__ == "__main__":
    run_stage("pretrain", train)
