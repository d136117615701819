"""The keys of metrics.jsonl: their units, and which of them a repeated run gives again to the bit.

A line is flat and its numbers are finite; its key is (step, split), and readers keep the last line of a key. A key
that is not listed here is refused when it is logged; docs/metrics.md says of each how it is computed and what is
healthy, and a test holds the two together.
"""

KEY_FIELDS = ("step", "attempt", "split")
"""They say where a line belongs and are no metrics."""

UNITS: dict[str, str] = {
    "seconds": "s since the first attempt began, pauses left out",
    "epoch": "epochs",
    "tokens": "tokens so far",
    "loss": "nats per token; reward: per prompt",
    "learning_rate": "",
    "gradient_norm": "",
    "tokens_per_second": "tokens/s",
    # reward
    "accuracy": "share of comparisons",
    "score_spread": "",
    "fold": "number of the fold",
    "fold_loss": "nats per prompt",
    "fold_accuracy": "share of comparisons",
    # ppo: means over the responses of an iteration, or over their tokens where the unit says so
    "episodes": "responses so far",
    "optimizer_steps": "steps so far",
    "score_mean": "",
    "score_std": "",
    "watch_score_mean": "",
    "kl_sequence": "nats per response",
    "kl_token": "nats per token",
    "kl_coef": "",
    "entropy": "nats per token",
    "response_tokens": "tokens per response",
    "ended_share": "share of responses",
    "clip_share": "share of tokens",
    "ratio_max": "",
    "ratio_first_error": "",
    "sampler_error_max": "nats",
    "sampler_error_mean": "nats",
    "approx_kl": "nats per token",
    "explained_variance": "",
    "policy_loss": "",
    "value_loss": "",
    "value_gradient_norm": "",
    "ptx_loss": "nats per token",
    "ptx_coef": "",
    "score_scale": "",
    "generate_seconds": "s",
    "score_seconds": "s",
    "update_seconds": "s",
}


def is_clock_key(key: str) -> bool:
    """True of what depends on the machine and its neighbours: never the same twice, and compared by nobody."""
    return key in ("seconds", "attempt") or key.endswith(("_per_second", "_seconds"))


def deterministic(line: dict[str, object]) -> dict[str, object]:
    """The part of a metrics line that an undisturbed run and a resumed one have in common."""
    return {key: value for key, value in line.items() if not is_clock_key(key)}
