"""PPO: the policy is rewarded by the reward model and held near its reference. `python -m training.rlhf.ppo RUN_DIR`

As in InstructGPT: a value model of its own that starts from the reward model, head and bias included; the score at the
last token of a response, a KL penalty at every token, no discount; and what is released is a moving average of the
weights. An iteration samples, lets every model read the samples once (rollouts.py), and takes its steps
(improving.py). Every random choice is a function of seed and iteration, so that a resumed run repeats to the bit.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from training.rlhf.advantages import explained_variance
from training.rlhf.attempt import run_stage
from training.rlhf.batching import Batching
from training.rlhf.chance import generator, shuffled
from training.rlhf.checkpoints import Checkpoint, load_trainer, save_trainer
from training.rlhf.contract.exit_codes import ConfigRefused, DataRefused, StoppedEarly
from training.rlhf.contract.records import Text
from training.rlhf.contract.settings import WATCH
from training.rlhf.contract.stages import Ppo
from training.rlhf.ensemble import Ensemble
from training.rlhf.frontier import Point, policy_point, reference_points
from training.rlhf.improving import Learner, improve
from training.rlhf.inputs import only
from training.rlhf.intervals import interval
from training.rlhf.kl import KlCoefficient, is_impossibly_negative, sequence_kl
from training.rlhf.layouts import Exchange, obeys_masks
from training.rlhf.mixing import Mixing
from training.rlhf.models import (
    ScalarModel,
    check_context,
    compute_in,
    grow_vocabulary,
    load_causal_lm,
    save_causal_lm,
    trunk_of,
)
from training.rlhf.prompts import EncodedPrompts, read_prompts
from training.rlhf.release import ACCORD_FILE, ModelFacts
from training.rlhf.rollouts import Cast, Rollouts, read_rollouts
from training.rlhf.run import Run
from training.rlhf.sampling import Limits, sample_responses
from training.rlhf.scaling import RunningSpread
from training.rlhf.steps import Ema, adam, rate_factor, set_rate
from training.rlhf.texts import Windows, read_windows
from training.rlhf.tokens import ChatTokens, load_tokenizer, prepare_tokens

HELD_OUT_PROMPTS = 256
"""Answered before and after, to tell what the run did."""
SAMPLING_TOKENS = 8
"""Times micro_batch_tokens may be held in a cache: sampling keeps no activations."""
KL_HISTORY = 5

Measured = dict[str, list[float]]
"""Of each held-out prompt's response: score, final_score, kl, response_tokens, ended."""


@dataclass(frozen=True)
class Sampled:
    """Prompts with their responses, R in all and in their order.

    logprobs: of each response's tokens as the sampler computed them. ended: whether the response stopped by itself.
    """

    exchanges: list[Exchange]
    logprobs: list[list[float]]
    ended: list[bool]


@dataclass
class Job:
    """Everything the loop works with."""

    run: Run
    tokens: ChatTokens
    cast: Cast
    policy: Learner
    value: Learner
    ema: Ema
    kl: KlCoefficient
    prompts: EncodedPrompts
    held_out: EncodedPrompts
    pretraining: Windows | None
    shared: bool
    kl_history: list[tuple[float, float]]
    """Mean KL of a response and its standard error, of the last iterations."""
    ptx_coef: float | None
    """None until the first iteration has set it, where it is to be set from gradient norms."""
    scale: RunningSpread | None
    """Of all scores learned from so far, where they are divided by it."""
    before: Measured | None = None
    on_the_way: list[Point] = field(default_factory=list)

    @property
    def settings(self) -> Ppo:
        assert self.run.config.ppo is not None
        return self.run.config.ppo

    @property
    def batching(self) -> Batching:
        return Batching(tokens=self.run.micro_batch_tokens, shared=self.shared, device=self.run.device)


def train(run: Run) -> None:
    found = run.resume()
    job = prepare(run, found)
    iterations = job.settings.iterations
    done = found.step if found else 0
    stopped: str | None = None
    run.plan(iterations)
    with compute_in(run.config.precision, run.device):
        if job.before is None:
            job.before = measure(job)
        for iteration in range(done + 1, iterations + 1):
            started = time.perf_counter()
            sampled = sample(job, iteration)
            generated = time.perf_counter()
            rollouts = read(job, sampled, iteration)
            scored = time.perf_counter()
            numbers = {
                **sampler_error(rollouts, sampled),
                "generate_seconds": generated - started,
                "score_seconds": scored - generated,
            }
            stopped = above_ceiling(job, rollouts, iteration)
            if stopped:
                run.save(done, lambda folder: save(job, folder))
                tell(job, rollouts, iteration, {**numbers, "kl_coef": job.kl.value}, always=True)
                break
            seen = learn(job, rollouts, iteration)
            tell(job, rollouts, iteration, {**numbers, **seen, "update_seconds": time.perf_counter() - scored})
            done = iteration
            measure_on_the_way(job, iteration)
            run.end_step(iteration, lambda folder: save(job, folder))
        with averaged(job):
            after = measure(job)
        compared = compare(job, after, iterations=done)
    run.release(done, make_report(job, after, iterations=done, stopped=stopped) | compared)
    if stopped:
        raise StoppedEarly(stopped)


# ready


def prepare(run: Run, found: Checkpoint | None) -> Job:
    """Models, prompts and optimizers, as they were at the checkpoint if there is one."""
    config, settings = run.config, run.config.ppo
    assert settings is not None
    if config.hardware.activation_checkpointing:
        raise ConfigRefused("hardware.activation_checkpointing is true; this stage cannot do so yet, expected false")
    models = run.inputs.models
    tokens = prepare_tokens(load_tokenizer(models["policy"].folder), config.tokens, config.conditioning)
    run.model_facts = ModelFacts(kind="policy", stop_token_ids=tokens.stop_token_ids, ema=True)
    check_tokenizers(run, tokens)
    cast = load_cast(run, tokens)
    for model in (cast.policy, cast.value.trunk, *(watched.trunk for watched in cast.watch)):
        check_context(model, config.lengths.context_tokens)
    policy = Learner(cast.policy, adam(cast.policy.parameters(), config.optimizer))
    value_rate = settings.value.learning_rate
    value = Learner(cast.value, adam(cast.value.parameters(), config.optimizer, learning_rate=value_rate))
    prompts = read_prompts(run, tokens, config.data.train)
    held_out = read_prompts(run, tokens, config.data.validation)
    both = sorted(set(prompts.ids) & set(held_out.ids))
    if both:
        raise DataRefused(f"prompt {both[0]} and {len(both) - 1} more are in data.train and in data.validation")
    run.event("data", train=prompts.report(), validation=held_out.report())
    note_missing_zero(run)
    job = Job(
        run=run, tokens=tokens, cast=cast, policy=policy, value=value,
        ema=Ema(cast.policy, decay=settings.ema.decay, warmup=settings.ema.warmup),
        kl=KlCoefficient(settings.kl.coef, settings.kl.target_nats if settings.kl.mode == "adaptive" else None,
                         settings.kl.horizon_episodes),
        prompts=prompts, held_out=(held_out if held_out.ids else prompts).spread(HELD_OUT_PROMPTS),
        pretraining=read_pretraining(run, tokens), shared=choose_layout(run, cast), kl_history=[],
        ptx_coef=settings.ptx.coef if settings.ptx.calibrate is None else None,
        scale=RunningSpread() if settings.scale_rewards else None,
    )  # fmt: skip
    if found:
        restore(job, load_trainer(found))
    return job


def load_cast(run: Run, tokens: ChatTokens) -> Cast:
    """Policy and reference in float32, the value model a copy of the reward model, head and bias included."""
    models = run.inputs.models
    reference = models.get("reference", models["policy"]).folder
    policy, frozen = (load_causal_lm(folder, device=run.device) for folder in (models["policy"].folder, reference))
    for model in (policy, frozen):
        grow_vocabulary(model, tokens)
    scorers = [Ensemble.load(models[role].folder, device=run.device) for role in _scoring_roles(run)]
    value = ScalarModel.load(models["reward"].folder, device=run.device)
    cast = Cast(policy=policy, reference=frozen, value=value, reward=scorers[0], watch=tuple(scorers[1:]))
    cast.reference.requires_grad_(False)
    for scorer in scorers:
        scorer.requires_grad_(False)
    return cast.eval()


def _scoring_roles(run: Run) -> list[str]:
    return ["reward", *sorted(role for role in run.inputs.models if role.startswith(WATCH))]


def check_tokenizers(run: Run, tokens: ChatTokens) -> None:
    """Raises ConfigRefused unless all models have one vocabulary: token ids go from one to the other as they are."""
    for role in (*_scoring_roles(run), *(["reference"] if "reference" in run.inputs.models else [])):
        other = prepare_tokens(
            load_tokenizer(run.inputs.models[role].folder), run.config.tokens, run.config.conditioning
        )
        if other.tokenizer.get_vocab() != tokens.tokenizer.get_vocab() or other.stop_token_ids != tokens.stop_token_ids:
            raise ConfigRefused(
                f"models.{role} has another tokenizer than models.policy: train both from one SFT model, or their "
                "token ids mean different words"
            )


def note_missing_zero(run: Run) -> None:
    """An event where nobody set the scores' zero: what is subtracted from a score, or put in its place, leans on it."""
    facts = run.inputs.models["reward"].folder / ACCORD_FILE
    if not facts.exists() or not json.loads(facts.read_text(encoding="utf-8")).get("score_bias"):
        run.event("not_centred", message="models.reward was not centred on demonstrations: its scores have no zero")


def choose_layout(run: Run, cast: Cast) -> bool:
    """Whether K responses stand behind one copy of their prompt, and short prompts with theirs share a row: where every
    model follows a mask."""
    trunks = [trunk_of(cast.policy), trunk_of(cast.reference), cast.value.trunk]
    trunks += [member.trunk for scorer in (cast.reward, *cast.watch) for member in scorer.each]
    return all(
        obeys_masks(each, vocabulary=each.config.vocab_size, context_tokens=run.config.lengths.context_tokens)
        for each in trunks
    )


def read_pretraining(run: Run, tokens: ChatTokens) -> Windows | None:
    """Text for the ptx loss, where it is asked for."""
    config = run.config
    if config.ppo is None or not config.ppo.ptx.wanted:
        return None
    texts = only(Text, run.inputs.rows(config.data.pretraining, "text"))
    return read_windows(tokens, texts, window_tokens=config.lengths.response_tokens, seed=config.seed)


# an iteration


def sample(job: Job, iteration: int) -> Sampled:
    """The prompts of an iteration with K fresh responses each."""
    job.run.phase("generate")
    return answer(
        job, job.prompts, turn(job, iteration), responses_per_prompt=job.settings.responses_per_prompt,
        chance=generator(job.run.config.seed, "rollouts", iteration),
    )  # fmt: skip


def turn(job: Job, iteration: int) -> list[int]:
    """Numbers of the prompts of an iteration: each once before any comes twice, in a new order every time."""
    count = job.settings.episodes_per_iteration // job.settings.responses_per_prompt
    size, seed = len(job.prompts.ids), job.run.config.seed
    places = range((iteration - 1) * count, iteration * count)
    orders = {
        epoch: shuffled(size, seed=seed, purpose="order of prompts", number=epoch)
        for epoch in range(places[0] // size, places[-1] // size + 1)
    }
    return [orders[place // size][place % size] for place in places]


def answer(
    job: Job, prompts: EncodedPrompts, among: Sequence[int], *, responses_per_prompt: int, chance: torch.Generator
) -> Sampled:
    lengths = job.run.config.lengths
    chosen = [prompts.token_ids[number] for number in among]
    answers = sample_responses(
        job.cast.policy, chosen, responses_per_prompt=responses_per_prompt,
        stop_token_ids=job.tokens.stop_token_ids, limits=Limits(lengths.response_tokens, lengths.context_tokens),
        temperature=job.settings.temperature, generator=chance,
        batch_tokens=SAMPLING_TOKENS * job.run.micro_batch_tokens, before_batch=job.run.poll,
    )  # fmt: skip
    exchanges = [
        Exchange(prompt, [response.token_ids for response in group])
        for prompt, group in zip(chosen, answers, strict=True)
    ]
    responses = [response for group in answers for response in group]
    return Sampled(exchanges, [response.logprobs for response in responses], [response.ended for response in responses])


def read(job: Job, sampled: Sampled, iteration: int) -> Rollouts:
    job.run.phase("score")
    return read_rollouts(
        sampled.exchanges, ended=sampled.ended, cast=job.cast, batching=job.batching, settings=job.settings,
        kl_coef=job.kl.value, step=iteration, names=[job.prompts.ids[number] for number in turn(job, iteration)],
        conditions=[job.prompts.conditions[number] for number in turn(job, iteration)], scale=job.scale,
        before_batch=job.run.poll,
    )  # fmt: skip


def above_ceiling(job: Job, rollouts: Rollouts, iteration: int) -> str | None:
    """Why the run ends here, before it learns from these rollouts; None if the policy is near enough."""
    ceiling = job.settings.kl.stop_nats
    kl = float(_kl(rollouts).mean())
    if ceiling is None or kl <= ceiling:
        return None
    sentence = f"the mean KL of iteration {iteration} is {kl:.3f} nats per response, above ppo.kl.stop_nats {ceiling}"
    job.run.event("kl_ceiling", step=iteration, kl=kl, message=sentence)
    return sentence


def learn(job: Job, rollouts: Rollouts, iteration: int) -> dict[str, float]:
    """The steps of the iteration, the average of the weights after each, and then the price of KL."""
    job.run.phase("train")
    config = job.run.config
    factor = rate_factor(iteration, steps=job.settings.iterations, optimizer=config.optimizer)
    set_rate([job.policy.optimizer, job.value.optimizer], factor)
    mixed = Mixing(
        policy=job.cast.policy, windows=job.pretraining, settings=job.settings, batching=job.batching,
        iteration=iteration, coef=job.ptx_coef, before_batch=job.run.poll,
    )  # fmt: skip
    ids = [job.prompts.ids[number] for number in turn(job, iteration)]
    seen = improve(
        rollouts, policy=job.policy, value=job.value, batching=job.batching, settings=job.settings,
        clip_norm=config.optimizer.clip_norm, order=generator(config.seed, "minibatches", iteration),
        iteration=iteration, names=ids, before_batch=job.run.poll, add_more=mixed.add_gradients,
        after_step=lambda: job.ema.update(job.cast.policy),
    )  # fmt: skip
    job.ptx_coef = mixed.coef
    job.scale = rollouts.scale
    kl_coef = job.kl.value
    job.kl.observe(kl=float(_kl(rollouts).mean()), episodes=job.settings.episodes_per_iteration)
    return {**seen, **mixed.seen(), "kl_coef": kl_coef, "learning_rate": config.optimizer.learning_rate * factor}


# what is told


def _kl(rollouts: Rollouts) -> torch.Tensor:
    return sequence_kl(logprobs=rollouts.logprobs, ref_logprobs=rollouts.ref_logprobs, mask=rollouts.mask)


def sampler_error(rollouts: Rollouts, sampled: Sampled) -> dict[str, float]:
    """How far the sampler's logprobs are from those that every model's reading gave, over response tokens, in nats."""
    said = torch.tensor([logprob for response in sampled.logprobs for logprob in response])
    error = (said - rollouts.logprobs[rollouts.mask].cpu()).abs()
    return {"sampler_error_max": float(error.max()), "sampler_error_mean": float(error.mean())}


def tell(job: Job, rollouts: Rollouts, iteration: int, numbers: dict[str, float], *, always: bool = False) -> None:
    """A line of metrics, some rollouts to read, and an alarm where the KL cannot be true."""
    kl, responses = _kl(rollouts), len(rollouts.scores)
    settings = job.settings
    watched = [float(scores.mean()) for scores in rollouts.watched]
    job.run.log(iteration, {
        "episodes": iteration * settings.episodes_per_iteration,
        "optimizer_steps": job.ema.steps,
        "score_mean": float(rollouts.scores.mean()),
        "score_std": float(rollouts.scores.std(correction=0)),
        **({"score_spread": float(rollouts.spread.mean())} if len(job.cast.reward.members) > 1 else {}),
        **({"score_scale": rollouts.scale.value} if rollouts.scale else {}),
        **({"watch_score_mean": sum(watched) / len(watched)} if watched else {}),
        "kl_sequence": float(kl.mean()),
        "kl_token": float(kl.sum() / rollouts.mask.sum()),
        "response_tokens": float(rollouts.mask.sum()) / responses,
        "ended_share": float(rollouts.ended.float().mean()),
        "explained_variance": explained_variance(
            values=rollouts.values, returns=rollouts.returns, mask=rollouts.mask
        ),
        **numbers,
    }, always=always)  # fmt: skip
    job.kl_history = [*job.kl_history, (float(kl.mean()), float(kl.std() / responses**0.5))][-KL_HISTORY:]
    if is_impossibly_negative(job.kl_history):
        job.run.event("negative_kl", step=iteration, message="mean KL is negative beyond chance: logprobs do not match")
    if iteration == 1 or iteration % job.run.config.logging.samples_every_steps == 0:
        show(job, rollouts, iteration)


def show(job: Job, rollouts: Rollouts, iteration: int) -> None:
    """The first rollouts of an iteration, for people to read."""
    kl = _kl(rollouts).tolist()
    numbers = turn(job, iteration)
    for response in range(min(job.run.config.logging.samples, len(kl))):
        prompt, copy = divmod(response, job.settings.responses_per_prompt)
        exchange = rollouts.exchanges[prompt]
        job.run.sample(
            iteration, prompt=job.prompts.ids[numbers[prompt]], prompt_text=job.tokens.text(exchange.prompt),
            text=job.tokens.text(exchange.responses[copy]), score=float(rollouts.scores[response]), kl=kl[response],
            finish="stop" if bool(rollouts.ended[response]) else "length",
        )  # fmt: skip


def measure(job: Job) -> Measured:
    """The policy as it is now on held-out prompts, one response each, always with the same random numbers.

    score is the reward model's own number; final_score has what a missing stop costs in it, as training has.
    """
    job.run.phase("validate")
    chance = generator(job.run.config.seed, "held out")
    sampled = answer(job, job.held_out, range(len(job.held_out.ids)), responses_per_prompt=1, chance=chance)
    rollouts = read_rollouts(
        sampled.exchanges, ended=sampled.ended, cast=job.cast, batching=job.batching,
        settings=replace(job.settings, responses_per_prompt=1), kl_coef=job.kl.value,
        step=job.run.progress.status.step, names=job.held_out.ids, conditions=job.held_out.conditions,
        before_batch=job.run.poll,
    )  # fmt: skip
    return {
        "score": rollouts.scores.tolist(),
        "final_score": rollouts.final_scores.tolist(),
        **{f"watch_{number}_score": scores.tolist() for number, scores in enumerate(rollouts.watched)},
        "kl": _kl(rollouts).tolist(),
        "response_tokens": rollouts.mask.sum(1).double().tolist(),
        "ended": rollouts.ended.double().tolist(),
    }


def measure_on_the_way(job: Job, iteration: int) -> None:
    """The averaged policy on held-out prompts, at evenly spread iterations; the last one is measured anyway."""
    beside, iterations = job.settings.beside, job.settings.iterations
    if beside is None:
        return
    due = {round(place * iterations / (beside.measures + 1)) for place in range(1, beside.measures + 1)}
    if iteration in due - {iterations}:
        with averaged(job):
            places = job.held_out.spread_places(beside.prompts)
            job.on_the_way.append(policy_point(iteration, measure(job), among=places))


def compare(job: Job, after: Measured, *, iterations: int) -> dict[str, Any]:
    """Score against KL of the policy, of the reference at lower temperatures and of its best of n; where asked for."""
    beside = job.settings.beside
    if beside is None:
        return {}
    job.run.phase("validate")
    prompts, lengths = job.held_out.spread(beside.prompts), job.run.config.lengths
    points = reference_points(
        job.cast, prompts, beside, temperature=job.settings.temperature, stop_token_ids=job.tokens.stop_token_ids,
        limits=Limits(lengths.response_tokens, lengths.context_tokens), batching=replace(job.batching, shared=False),
        sampling_tokens=SAMPLING_TOKENS * job.run.micro_batch_tokens, seed=job.run.config.seed,
        before_batch=job.run.poll,
    )  # fmt: skip
    policy = [*job.on_the_way, policy_point(iterations, after, among=job.held_out.spread_places(beside.prompts))]
    return {"beside": {"prompts": len(prompts.ids), "points": [*policy, *points]}}


def make_report(job: Job, after: Measured, *, iterations: int, stopped: str | None) -> dict[str, Any]:
    """Before and after on the same prompts, and the difference prompt by prompt."""
    before = job.before
    assert before is not None
    return {
        "iterations": iterations,
        "episodes": iterations * job.settings.episodes_per_iteration,
        "stopped_early": stopped,
        "prompts": job.prompts.report(),
        "measured_on": {
            "prompts": len(job.held_out.ids),
            "held_out": bool(job.run.config.data.validation),
            "temperature": job.settings.temperature,
        },
        "before": {name: interval(values) for name, values in before.items()},
        "after": {name: interval(values) for name, values in after.items()},
        "gain": {name: interval([b - a for a, b in zip(before[name], after[name], strict=True)]) for name in before},
    }


# kept


@contextlib.contextmanager
def averaged(job: Job) -> Iterator[None]:
    """The policy with its averaged weights inside the block, and with its own again behind it."""
    own = {name: parameter.detach().clone() for name, parameter in job.cast.policy.named_parameters()}
    job.ema.copy_to(job.cast.policy)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, parameter in job.cast.policy.named_parameters():
                parameter.copy_(own[name])


def save(job: Job, folder: Path) -> None:
    """model/ holds the averaged weights: they are what is released."""
    with averaged(job):
        save_causal_lm(job.cast.policy, job.tokens, folder)
    save_trainer(folder, {
        "policy": job.cast.policy.state_dict(),
        "value": job.cast.value.state_dict(),
        "policy_optimizer": job.policy.optimizer.state_dict(),
        "value_optimizer": job.value.optimizer.state_dict(),
        "ema": job.ema.state_dict(),
        "kl_coef": job.kl.value,
        "ptx_coef": job.ptx_coef,
        "scale": asdict(job.scale) if job.scale else None,
        "on_the_way": job.on_the_way,
        "kl_history": [list(entry) for entry in job.kl_history],
        "before": job.before,
    })  # fmt: skip


def restore(job: Job, state: dict[str, Any]) -> None:
    job.cast.policy.load_state_dict(state["policy"])
    job.cast.value.load_state_dict(state["value"])
    job.policy.optimizer.load_state_dict(state["policy_optimizer"])
    job.value.optimizer.load_state_dict(state["value_optimizer"])
    job.ema.load_state_dict(state["ema"])
    job.kl.value = state["kl_coef"]
    job.kl_history = [(mean, error) for mean, error in state["kl_history"]]
    job.ptx_coef = state["ptx_coef"]
    job.scale = RunningSpread(**state["scale"]) if state["scale"] else None
    job.on_the_way = state["on_the_way"]
    job.before = state["before"]


if __name__ == "__main__":
    run_stage("ppo", train)
