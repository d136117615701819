"""Models of two shapes: loaded, saved, padded either way, given room for new tokens and a scalar head."""

import json
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaPreTrainedModel

from training.rlhf.contract.exit_codes import ConfigRefused, InputMissing
from training.rlhf.contract.settings import Precision, Tokens
from training.rlhf.layouts import Exchange, padded, response_logits
from training.rlhf.losses import token_logprobs
from training.rlhf.models import (
    HEAD_FILE,
    ScalarModel,
    add_residual_dropout,
    check_context,
    compute_in,
    grow_vocabulary,
    load_causal_lm,
    save_causal_lm,
)
from training.rlhf.tokens import ChatTokens, load_tokenizer, prepare_tokens

from .test_tokens import NO_CONDITIONS, foreign_tokenizer
from .tiny_models import SHAPES, VOCABULARY, tiny_llama
from .tiny_runs import tiny_tokens

CPU = torch.device("cpu")
EXCHANGES = [Exchange([5, 6, 7, 8], [[9, 10, 2]]), Exchange([11], [[12, 13, 14, 15, 16, 2]])]


@pytest.fixture(params=sorted(SHAPES))
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return SHAPES[request.param]()


def big_enough(shape: str, tokens: ChatTokens) -> PreTrainedModel:
    return SHAPES[shape](vocabulary=tokens.vocabulary)


def response_logprobs(model: PreTrainedModel, exchange: Exchange) -> torch.Tensor:
    layout = padded([exchange])
    return token_logprobs(response_logits(model, layout), layout.targets)


@pytest.mark.rule(2)
@torch.no_grad()
def test_a_sequence_has_the_same_logprobs_at_any_padding_left_or_right(model: PreTrainedModel) -> None:
    exchange = EXCHANGES[0]
    alone = response_logprobs(model, exchange)
    for gap in (1, 7):
        right = padded([exchange, Exchange([1] * (exchange.tokens + gap - 1), [[2]])])
        logprobs = token_logprobs(response_logits(model, right), right.targets)[: len(alone)]
        torch.testing.assert_close(logprobs, alone, atol=1e-5, rtol=0)
        ids = torch.tensor([[0] * gap + list(exchange.prompt) + list(exchange.responses[0])])
        seen = (torch.arange(ids.shape[1]) >= gap)[None]
        positions = (seen.long().cumsum(1) - 1).clamp(min=0)
        logits = model(input_ids=ids, attention_mask=seen, position_ids=positions).logits[0, -len(alone) - 1 : -1]
        left = token_logprobs(logits, torch.tensor(exchange.responses[0]))
        torch.testing.assert_close(left, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_what_is_saved_is_loaded_to_the_bit_without_any_pickle(shape: str, tmp_path: Path) -> None:
    tokens = tiny_tokens()
    model = big_enough(shape, tokens)
    save_causal_lm(model, tokens, tmp_path)
    files = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= files
    assert not any(name.endswith((".bin", ".pt", ".pkl", ".py")) for name in files)
    again = load_causal_lm(tmp_path / "model", device=CPU)
    assert all(torch.equal(old, again.state_dict()[name]) for name, old in model.state_dict().items())
    assert not again.training


def test_a_saved_model_says_what_ends_its_responses(tmp_path: Path) -> None:
    tokens = tiny_tokens()
    save_causal_lm(big_enough("llama", tokens), tokens, tmp_path)
    generation = json.loads((tmp_path / "model" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == list(tokens.stop_token_ids)
    assert generation["pad_token_id"] == tokens.pad_token_id


@pytest.mark.rule(21)
def test_half_precision_weights_become_float32_masters(tmp_path: Path) -> None:
    tokens = tiny_tokens()
    save_causal_lm(big_enough("llama", tokens).bfloat16(), tokens, tmp_path)
    loaded = load_causal_lm(tmp_path / "model", device=CPU)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}


@pytest.mark.parametrize("content", [None, "{}", '{"model_type": "no_such_type"}', '{"model_type": "llama"}'])
def test_a_folder_without_a_loadable_model_is_a_missing_input(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputMissing, match="holds no model that can be loaded"):
        load_causal_lm(tmp_path, device=CPU)


def test_weights_that_are_a_pickle_are_not_loaded(tmp_path: Path) -> None:
    tokens = tiny_tokens()
    model = big_enough("llama", tokens)
    save_causal_lm(model, tokens, tmp_path)
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(InputMissing, match="holds no model that can be loaded"):
        load_causal_lm(tmp_path / "model", device=CPU)


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n")
    auto_map = {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto_map}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Evil", "auto_map": auto_map}))
    with pytest.raises(InputMissing):
        load_causal_lm(tmp_path, device=CPU)
    with pytest.raises(InputMissing):
        load_tokenizer(tmp_path)
    assert not ran.exists()


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_new_tokens_get_the_mean_of_the_embeddings_and_old_ones_keep_theirs(shape: str) -> None:
    tokenizer = foreign_tokenizer()
    model = SHAPES[shape](vocabulary=len(tokenizer))
    before = model.get_input_embeddings().weight.detach().clone()
    tokens = prepare_tokens(tokenizer, Tokens(), NO_CONDITIONS)
    grow_vocabulary(model, tokens)
    after = model.get_input_embeddings().weight.detach()
    assert len(after) == tokens.vocabulary == len(before) + 5
    assert torch.equal(after[: len(before)], before)
    torch.testing.assert_close(after[len(before) :], before.mean(0).expand(5, -1))
    assert model.config.vocab_size == tokens.vocabulary


def test_a_vocabulary_that_has_room_is_left_alone() -> None:
    tokens = tiny_tokens()
    model = SHAPES["llama"](vocabulary=tokens.vocabulary + 20)
    grow_vocabulary(model, tokens)
    assert model.get_input_embeddings().num_embeddings == tokens.vocabulary + 20


def test_a_context_that_the_model_has_no_positions_for_is_refused(model: PreTrainedModel) -> None:
    check_context(model, 128)
    with pytest.raises(ConfigRefused, match="lengths.context_tokens is 129; the model has positions for 128 tokens"):
        check_context(model, 129)


@pytest.mark.rule(21)
def test_under_bfloat16_logprobs_scores_and_gradients_are_float32(model: PreTrainedModel) -> None:
    layout = padded(EXCHANGES)
    seen: list[torch.dtype] = []
    model.lm_head.register_forward_hook(lambda module, arguments, output: seen.append(output.dtype))
    scalar = ScalarModel.from_causal_lm(model, seed=0)
    with compute_in(Precision(compute="bfloat16"), CPU):
        logprobs = token_logprobs(response_logits(model, layout), layout.targets)
        scores = scalar(layout, layout.last)
    assert seen == [torch.bfloat16]
    assert logprobs.dtype == scores.dtype == torch.float32
    (-logprobs.mean() + scores.mean()).backward()
    assert {weight.grad.dtype for weight in model.parameters() if weight.grad is not None} == {torch.float32}
    # exp of float32 logprobs over the whole vocabulary adds up to 1 closer than bfloat16 could tell
    with torch.no_grad(), compute_in(Precision(compute="bfloat16"), CPU):
        logits = response_logits(model, layout)
        total = torch.stack(
            [token_logprobs(logits, torch.full_like(layout.targets, token)).exp() for token in range(VOCABULARY)]
        ).sum(0)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)


def test_under_bfloat16_a_step_of_the_optimizer_is_seen_at_once(model: PreTrainedModel) -> None:
    """PPO samples, reads and learns inside one block: a copy of the weights kept for the block would be stale."""
    precision = Precision(compute="bfloat16")
    with compute_in(precision, CPU):
        with torch.no_grad():
            before = response_logprobs(model, EXCHANGES[0])
        (-response_logprobs(model, EXCHANGES[0]).sum()).backward()
        torch.optim.SGD(model.parameters(), lr=0.1).step()
        with torch.no_grad():
            inside = response_logprobs(model, EXCHANGES[0])
    with compute_in(precision, CPU), torch.no_grad():
        assert torch.equal(inside, response_logprobs(model, EXCHANGES[0]))
    assert not torch.equal(inside, before)


def test_precision_auto_is_float32_on_a_cpu() -> None:
    with compute_in(Precision(), CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.rule(19)
def test_a_fresh_head_has_bias_0_and_the_spread_of_its_width() -> None:
    model = SHAPES["llama"]()
    heads = [ScalarModel.from_causal_lm(model, seed=seed).head for seed in range(60)]
    spread = torch.cat([head.weight.detach().flatten() for head in heads]).std()
    assert float(spread) == pytest.approx(1 / 33**0.5, rel=0.05)  # 60 x 32 numbers: a standard error of 1.6 %
    assert all(head.bias.item() == 0 for head in heads)
    given = ScalarModel.from_causal_lm(model, head_init_std=3.0, seed=0).head.weight
    torch.testing.assert_close(given, heads[0].weight * 3.0 * 33**0.5)


def test_one_seed_makes_one_head() -> None:
    model = SHAPES["llama"]()
    one, same, other = (ScalarModel.from_causal_lm(model, seed=seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_scalar_model_is_loaded_as_it_was_saved_bias_included(shape: str, tmp_path: Path) -> None:
    tokens = tiny_tokens()
    scalar = ScalarModel.from_causal_lm(big_enough(shape, tokens), seed=3)
    with torch.no_grad():
        scalar.head.bias.fill_(-1.25)
    scalar.save(tokens, tmp_path)
    again = ScalarModel.load(tmp_path / "model", device=CPU)
    layout = padded(EXCHANGES)
    with torch.no_grad():
        assert torch.equal(scalar(layout, layout.last), again(layout, layout.last))
    assert not again.training


@pytest.mark.rule(4)
@torch.no_grad()
def test_a_score_is_read_at_the_last_token_of_the_response_whatever_the_padding(model: PreTrainedModel) -> None:
    scalar = ScalarModel.from_causal_lm(model, seed=0)
    together = padded(EXCHANGES)
    scores = scalar(together, together.last)
    for number, exchange in enumerate(EXCHANGES):
        ids = torch.tensor([[*exchange.prompt, *exchange.responses[0]]])
        hidden = scalar.trunk(input_ids=ids)[0]
        torch.testing.assert_close(scalar.head(hidden)[0, -1, 0], scores[number], atol=1e-5, rtol=0)


def test_a_language_model_is_no_reward_model(tmp_path: Path) -> None:
    tokens = tiny_tokens()
    save_causal_lm(big_enough("llama", tokens), tokens, tmp_path)
    with pytest.raises(InputMissing, match=f"is no reward model: it has no {HEAD_FILE}"):
        ScalarModel.load(tmp_path / "model", device=CPU)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_loaded_model_drops_nothing_of_its_own_accord_in_training(shape: str, tmp_path: Path) -> None:
    tokens = tiny_tokens()
    fresh = big_enough(shape, tokens)
    fresh.config.attention_dropout = 0.3  # GPT-2 has three others, 0.1 each unless it is told
    save_causal_lm(fresh, tokens, tmp_path)
    model = load_causal_lm(tmp_path / "model", device=CPU)
    evaluated = response_logprobs(model, EXCHANGES[0])
    assert torch.equal(response_logprobs(model.train(), EXCHANGES[0]), evaluated)


def test_residual_dropout_acts_in_training_and_not_in_evaluation(model: PreTrainedModel) -> None:
    plain = response_logprobs(model, EXCHANGES[0])
    add_residual_dropout(model, 0.5)
    assert torch.equal(response_logprobs(model, EXCHANGES[0]), plain)
    model.train()
    torch.manual_seed(0)
    assert not torch.allclose(response_logprobs(model, EXCHANGES[0]), plain, atol=1e-3)


def test_activation_checkpointing_changes_no_gradient(tmp_path: Path) -> None:
    tokens = tiny_tokens()
    save_causal_lm(big_enough("llama", tokens), tokens, tmp_path)
    gradients = []
    for wanted in (False, True):
        loaded = load_causal_lm(tmp_path / "model", device=CPU, activation_checkpointing=wanted).train()
        (-response_logprobs(loaded, EXCHANGES[0]).mean()).backward()
        assert loaded.is_activation_checkpointing == wanted
        gradients.append([weight.grad for weight in loaded.parameters()])
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(*gradients, strict=True) if a is not None)


def test_a_model_that_knows_no_fast_attention_is_loaded_with_the_plain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_llama().save_pretrained(tmp_path)
    monkeypatch.setattr(LlamaPreTrainedModel, "_supports_sdpa", False)
    assert load_causal_lm(tmp_path, device=CPU).config._attn_implementation == "eager"
    (tmp_path / "config.json").write_text('{"model_type": "never heard of"}')
    with pytest.raises(InputMissing, match="holds no model that can be loaded"):
        load_causal_lm(tmp_path, device=CPU)
