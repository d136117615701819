"""What is drawn, how it is cut, and that nothing but the seed decides it."""

import random

import pytest
import torch
from transformers import PreTrainedModel

from tests.rlhf.tiny_models import SHAPES, VOCABULARY, tiny_llama
from training.rlhf.contract.exit_codes import NotFinite
from training.rlhf.layouts import Exchange, padded, response_logits
from training.rlhf.losses import token_logprobs
from training.rlhf.sampling import Limits, Response, draw, sample_responses

LIMITS = Limits(response_tokens=8, context_tokens=128)
STOPS = [2, 5]


def prompts(count: int = 6) -> list[list[int]]:
    chance = random.Random(8)
    return [[chance.randrange(6, VOCABULARY) for _ in range(chance.randint(1, 9))] for _ in range(count)]


def sample(
    model: PreTrainedModel,
    *,
    batch_tokens: int = 10_000,
    responses: int = 3,
    temperature: float = 1.0,
    seed: int = 1,
    limits: Limits = LIMITS,
) -> list[list[Response]]:
    return sample_responses(
        model, prompts(), responses_per_prompt=responses, stop_token_ids=STOPS, limits=limits,
        temperature=temperature, generator=torch.Generator().manual_seed(seed), batch_tokens=batch_tokens,
    )  # fmt: skip


def test_a_token_is_drawn_where_the_cumulated_probability_passes_the_number() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(6, 3)
    tokens, logprobs = draw(
        logits, torch.tensor([0.0, 0.49, 0.51, 0.79, 0.81, 0.999999], dtype=torch.float64), temperature=1.0
    )
    assert tokens.tolist() == [0, 0, 1, 1, 2, 2]
    assert logprobs.exp().tolist() == pytest.approx([0.5, 0.5, 0.3, 0.3, 0.2, 0.2])


def test_a_token_that_cannot_occur_is_never_drawn() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, 0.0, float("-inf")]]).expand(3, 4)
    tokens, _ = draw(logits, torch.tensor([0.0, 0.5, 1 - 1e-16], dtype=torch.float64), temperature=1.0)
    assert tokens.tolist() == [1, 2, 2]


@pytest.mark.rule(7)
def test_tokens_come_as_often_as_the_tempered_softmax_says() -> None:
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5])
    count = 40_000
    chances = torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tokens, _ = draw(logits.expand(count, 4), chances, temperature=0.5)
    shares = torch.bincount(tokens, minlength=4) / count
    assert torch.allclose(shares, (logits / 0.5).softmax(-1), atol=0.01)  # standard error 0.0025


@pytest.mark.rule(2)
@pytest.mark.rule(7)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_of_sampling_are_those_of_training(shape: str, temperature: float) -> None:
    """Left padding and a cache on one side, right padding on the other: every ratio begins at 1."""
    model = SHAPES[shape]()
    answers = sample(model, temperature=temperature)
    exchanges = [
        Exchange(prompt, [response.token_ids for response in group])
        for prompt, group in zip(prompts(), answers, strict=True)
    ]
    layout = padded(exchanges)
    trained = token_logprobs(response_logits(model, layout), layout.targets, temperature=temperature)
    sampled = torch.tensor([value for group in answers for response in group for value in response.logprobs])
    assert ((trained - sampled).exp() - 1).abs().max() <= 1e-4


@pytest.mark.rule(10)
def test_a_response_is_cut_after_its_first_stop_and_says_whether_it_ended() -> None:
    responses = [response for group in sample(tiny_llama(), responses=20) for response in group]
    for response in responses:
        assert not any(token in STOPS for token in response.token_ids[:-1])
        assert response.ended == (response.token_ids[-1] in STOPS)
        assert response.ended or len(response.token_ids) == LIMITS.response_tokens
        assert len(response.logprobs) == len(response.token_ids)
    assert 0 < sum(response.ended for response in responses) < len(responses)


def test_a_long_prompt_leaves_less_room_for_its_response() -> None:
    limits = Limits(response_tokens=8, context_tokens=11)
    for prompt, group in zip(prompts(), sample(tiny_llama(), limits=limits), strict=True):
        room = min(8, 11 - len(prompt))
        assert all(len(r.token_ids) <= room and (r.ended or len(r.token_ids) == room) for r in group)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_response_that_ended_at_the_last_position_does_not_disturb_the_others(shape: str) -> None:
    """It stays in the cache until others have ended too."""
    limits = Limits(response_tokens=8, context_tokens=128)
    short = prompts(20)
    long_ = [7] * 127

    def drawn(batch_tokens: int) -> list[list[Response]]:
        return sample_responses(
            SHAPES[shape](), [long_, *short], responses_per_prompt=1, stop_token_ids=[VOCABULARY - 1], limits=limits,
            temperature=1.0, generator=torch.Generator().manual_seed(1), batch_tokens=batch_tokens,
        )  # fmt: skip

    together, alone = drawn(10_000), drawn(1)
    assert [len(response.token_ids) for (response,) in together[:2]] == [1, 8]
    assert [r.token_ids for (r,) in together] == [r.token_ids for (r,) in alone]


@pytest.mark.rule(28)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_seed_repeats_whatever_the_batch(shape: str) -> None:
    model = SHAPES[shape]()
    together, alone = sample(model), sample(model, batch_tokens=1)
    assert [[r.token_ids for r in group] for group in together] == [[r.token_ids for r in group] for group in alone]
    assert together == sample(model)
    assert together != sample(model, seed=2)


@pytest.mark.rule(7)
def test_the_generation_config_of_a_model_folder_is_not_obeyed() -> None:
    model = tiny_llama()
    plain = sample(model)
    model.generation_config.update(top_p=0.1, top_k=1, repetition_penalty=5.0, do_sample=False, max_new_tokens=1)
    assert sample(model) == plain


@pytest.mark.rule(9)
@pytest.mark.parametrize("shape", SHAPES)
def test_responses_of_one_prompt_differ_and_temperature_0_makes_them_equal(shape: str) -> None:
    model = SHAPES[shape]()
    assert all(len({tuple(r.token_ids) for r in group}) > 1 for group in sample(model))
    assert all(len({tuple(r.token_ids) for r in group}) == 1 for group in sample(model, temperature=0))


def test_temperature_0_takes_the_likeliest_token_of_a_plain_forward_pass() -> None:
    model = tiny_llama()
    prompt, (response, *_) = prompts()[0], sample(model, temperature=0)[0]
    for count, token in enumerate(response.token_ids):
        ids = torch.tensor([prompt + response.token_ids[:count]])
        assert int(model(input_ids=ids).logits[0, -1].argmax()) == token


@pytest.mark.rule(8)
def test_sampling_leaves_dropout_off() -> None:
    model = tiny_llama().train()
    sample(model)
    assert not model.training


def test_a_prompt_without_room_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match=r"prompt \d has \d tokens; expected 1 to 3"):
        sample(tiny_llama(), limits=Limits(response_tokens=8, context_tokens=4))


@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_logits_that_are_not_finite_end_it_and_name_the_prompts(temperature: float) -> None:
    model = tiny_llama()
    with torch.no_grad():
        model.get_input_embeddings().weight[6:].fill_(float("nan"))  # type: ignore[union-attr]
    with pytest.raises(NotFinite, match="logits are not finite, answering a, b"):
        sample_responses(
            model, [[3, 4], [7, 8], [3], [9]], responses_per_prompt=2, stop_token_ids=STOPS,
            limits=Limits(response_tokens=1, context_tokens=8), temperature=temperature,
            generator=torch.Generator().manual_seed(1), batch_tokens=100, names=["good", "b", "fine", "a"],
        )  # fmt: skip
