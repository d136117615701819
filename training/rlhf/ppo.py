"""PPO: the policy is rewarded by the reward model and held near its reference. `python -m training.rlhf.ppo RUN_DIR`

As in InstructGPT: a value model of its own that starts from the reward model, head and bias included; the score at the
last token of a response, a KL penalty at every token, no discount; and what is released is a moving average of the
weights. An iteration samples, lets every model read the samples once (rollouts.py), and takes its steps
(improving.py). Every random choice is a function of seed and iteration, so that a resumed run repeats to the bit.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.rlhf.advantages import explained_variance
from training.rlhf.attempt import run_stage
from training.rlhf.casting import check_tokenizers, choose_layout, load_cast, note_missing_zero
from training.rlhf.chance import generator, shuffled
from training.rlhf.checkpoints import Checkpoint, load_trainer, save_trainer
from training.rlhf.contract.exit_codes import ConfigRefused, DataRefused, StoppedEarly
from training.rlhf.contract.records import Prompt, Text
from training.rlhf.improving import Learner, improve
from training.rlhf.inputs import only
from training.rlhf.kl import KlCoefficient, is_impossibly_negative
from training.rlhf.measuring import compare, make_report, measure, measure_on_the_way
from training.rlhf.mixing import Mixing
from training.rlhf.models import check_context, compute_in, computes_in_bfloat16, save_causal_lm
from training.rlhf.ppo_job import Job, Sampled, answer, averaged, kl_of
from training.rlhf.prompts import read_prompts, refuse_shared_prompts
from training.rlhf.release import ModelFacts
from training.rlhf.rollouts import Rollouts, read_rollouts
from training.rlhf.run import Run
from training.rlhf.scaling import RunningSpread
from training.rlhf.steps import Ema, adam, rate_factor, set_rate
from training.rlhf.texts import Windows, read_windows
from training.rlhf.tokens import ChatTokens, load_tokenizer, prepare_tokens
from training.rlhf.trust import SamplerTrust, sampler_error

HELD_OUT_PROMPTS = 256
"""Answered before and after, to tell what the run did."""
KL_HISTORY = 5


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
                **check_sampler(job, rollouts, sampled, iteration),
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
    refuse_shared_prompts(
        *(only(Prompt, run.inputs.rows(names, "prompt")) for names in (config.data.train, config.data.validation))
    )
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
        sampler=SamplerTrust(allowed=not computes_in_bfloat16(config.precision, run.device)),
    )  # fmt: skip
    if found:
        restore(job, load_trainer(found))
    return job


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


def read(job: Job, sampled: Sampled, iteration: int) -> Rollouts:
    job.run.phase("score")
    taken = None if job.sampler.reads(iteration) else sampled.logprobs
    return read_rollouts(
        sampled.exchanges, ended=sampled.ended, cast=job.cast, batching=job.batching, settings=job.settings,
        kl_coef=job.kl.value, step=iteration, names=[job.prompts.ids[number] for number in turn(job, iteration)],
        conditions=[job.prompts.conditions[number] for number in turn(job, iteration)], scale=job.scale,
        before_batch=job.run.poll, logprobs=taken,
    )  # fmt: skip


def check_sampler(job: Job, rollouts: Rollouts, sampled: Sampled, iteration: int) -> dict[str, float]:
    """How far the sampler was off, where the policy has read the same tokens; nothing where it has not."""
    if not job.sampler.reads(iteration):
        return {}
    error = sampler_error(rollouts, sampled.logprobs)
    compare_sampler(job, error["sampler_error_max"], iteration)
    return error


def compare_sampler(job: Job, error: float, iteration: int) -> None:
    if job.sampler.compare(error):
        message = f"the sampler's logprobs are off by {error:.2g}: from here on the policy reads every rollout itself"
        job.run.event("sampler_is_off", step=iteration, message=message)


def above_ceiling(job: Job, rollouts: Rollouts, iteration: int) -> str | None:
    """Why the run ends here, before it learns from these rollouts; None if the policy is near enough."""
    ceiling = job.settings.kl.stop_nats
    kl = float(kl_of(rollouts).mean())
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
    if not job.sampler.reads(iteration):
        compare_sampler(job, seen["ratio_first_error"], iteration)
    job.ptx_coef = mixed.coef
    job.scale = rollouts.scale
    kl_coef = job.kl.value
    job.kl.observe(kl=float(kl_of(rollouts).mean()), episodes=job.settings.episodes_per_iteration)
    return {**seen, **mixed.seen(), "kl_coef": kl_coef, "learning_rate": config.optimizer.learning_rate * factor}


# what is told


def tell(job: Job, rollouts: Rollouts, iteration: int, numbers: dict[str, float], *, always: bool = False) -> None:
    """A line of metrics, some rollouts to read, and an alarm where the KL cannot be true."""
    kl, responses = kl_of(rollouts), len(rollouts.scores)
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
    kl = kl_of(rollouts).tolist()
    numbers = turn(job, iteration)
    for response in range(min(job.run.config.logging.samples, len(kl))):
        prompt, copy = divmod(response, job.settings.responses_per_prompt)
        exchange = rollouts.exchanges[prompt]
        job.run.sample(
            iteration, prompt=job.prompts.ids[numbers[prompt]], prompt_text=job.tokens.text(exchange.prompt),
            text=job.tokens.text(exchange.responses[copy]), score=float(rollouts.scores[response]), kl=kl[response],
            finish="stop" if bool(rollouts.ended[response]) else "length",
        )  # fmt: skip


# kept


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
        "sampler_agreed": job.sampler.agreed,
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
    job.sampler.agreed = state.get("sampler_agreed", False)  # a checkpoint of an earlier version lacks it


if __name__ == "__main__":
    run_stage("ppo", train)
