"""The models that play in PPO: loaded, of one tokenizer, and asked whether prompts may share their rows."""

import json

from training.rlhf.contract.exit_codes import ConfigRefused
from training.rlhf.contract.settings import WATCH
from training.rlhf.ensemble import Ensemble
from training.rlhf.layouts import obeys_masks
from training.rlhf.models import ScalarModel, grow_vocabulary, load_causal_lm, trunk_of
from training.rlhf.release import ACCORD_FILE
from training.rlhf.rollouts import Cast
from training.rlhf.run import Run
from training.rlhf.tokens import ChatTokens, difference, load_tokenizer, prepare_tokens


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
    """Raises ConfigRefused unless all models write a chat alike: token ids go from one to the other as they are."""
    for role in (*_scoring_roles(run), *(["reference"] if "reference" in run.inputs.models else [])):
        other = prepare_tokens(
            load_tokenizer(run.inputs.models[role].folder), run.config.tokens, run.config.conditioning
        )
        if differs := difference(other, tokens):
            raise ConfigRefused(
                f"models.{role} has {differs} than models.policy: train both from one SFT model, or their "
                "token ids mean different things"
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
