"""From chat to token ids and back, the same way in training, evaluation and sampling.

A prompt and its response are encoded apart, and what people wrote never becomes a control token: "<|end|>" typed by a
user is encoded as the characters it is made of. A response ends with the end of turn of the model's template, which
is often not tokenizer.eos_token; PAD is never one of the tokens that end something. Texts over a budget are counted
and reported, never cut. A template that writes today's date writes the same one always.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

from jinja2 import TemplateError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from training.rlhf.contract import settings
from training.rlhf.contract.exit_codes import ConfigRefused, DataRefused, InputMissing
from training.rlhf.contract.records import Message

PAD = "<|pad|>"
END_OF_TEXT = "<|end_of_text|>"
END_OF_TURN = "<|end|>"
ROLE_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TOKENS = (*ROLE_TOKENS, END_OF_TURN)
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message['role'] == 'system' -%}{{ '<|system|>' }}
{%- elif message['role'] == 'user' -%}{{ '<|user|>' }}
{%- else -%}{{ '<|assistant|>' }}
{%- endif -%}
{{ message['content'] + '<|end|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}
"""
"""For models that have none: a token for each role, a token that ends a turn, nothing between."""

TODAY = datetime(2024, 7, 26)
"""What every chat template is told the date is. Told the clock's, a stage would read other prompts than the one before
it, and a resumed run others than it began with. It is the date that Llama's templates write where nobody tells any."""
DATE_CODES = [
    f"%{code}" for code in ("d", "-d", "e", "b", "B", "m", "-m", "Y", "y", "A", "a", "j", "H", "I", "M", "S", "p", "F")
]
STOPPED_CLOCK = (
    "{%- macro strftime_now(format) -%}{{- format"
    + "".join(f"|replace('{code}', '{TODAY.strftime(code)}')" for code in DATE_CODES)
    + " -}}{%- endmacro %}\n"
)
"""Before a template, in the place of transformers' own `strftime_now`: it takes no other function from outside."""

SENTINEL = "sentinel"
EXAMPLES = 5


class HasId(Protocol):
    @property
    def id(self) -> str: ...


class HasMessages(HasId, Protocol):
    @property
    def messages(self) -> Sequence[Message]: ...


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Raises InputMissing if there is no tokenizer that can be loaded without running the folder's own code."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputMissing(f"{folder} holds no tokenizer that can be loaded: {error}") from error
    for how_it_was_loaded in ("is_local", "local_files_only"):
        # It would be saved with the tokenizer: a run that was resumed would release other files than one that was not.
        tokenizer.init_kwargs.pop(how_it_was_loaded, None)
    return tokenizer


@dataclass(frozen=True)
class ChatTokens:
    """A tokenizer together with everything that decides how a chat is written in it.

    template: None where prompts are plain text. stop_token_ids: what ends a response; the first is what SFT teaches.
    """

    tokenizer: PreTrainedTokenizerBase
    template: str | None
    stop_token_ids: tuple[int, ...]
    pad_token_id: int
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def vocabulary(self) -> int:
        """Rows that the embeddings of a model need at least."""
        return len(self.tokenizer)

    def prompt_ids(self, messages: Sequence[Message], *, condition: str | None = None) -> list[int]:
        """The ids of everything before a response. condition: a key of `conditions`, whose text goes in as a system
        message.

        Raises DataRefused if the condition is unknown or the model's template will not have these messages.
        """
        chat = [{"role": message.role, "content": message.content} for message in messages]
        if condition is not None:
            chat = _with_system_message(chat, self._condition_text(condition))
        if self.template is None:
            return self._start_ids + self.text_ids("".join(f"{message['content']}\n" for message in chat))
        try:
            ids = self.tokenizer.apply_chat_template(
                chat, chat_template=without_clock(self.template), add_generation_prompt=True,
                sanitize_control_tokens=True, return_dict=False, date_string=TODAY.strftime("%d %b %Y"),
            )  # fmt: skip
        except TemplateError as error:
            roles = ", ".join(message["role"] for message in chat)
            raise DataRefused(f"the model's chat template refuses messages of roles {roles}: {error}") from error
        except ValueError as error:
            raise DataRefused(f"the model's tokenizer cannot encode this chat as text: {error}") from error
        return cast(list[int], ids)

    def prompt_of(self, row: HasMessages, *, condition: str | None = None) -> list[int]:
        """`prompt_ids` of a row. Raises DataRefused, naming the row."""
        try:
            return self.prompt_ids(row.messages, condition=condition)
        except DataRefused as refused:
            raise DataRefused(f"row {row.id}: {refused}") from refused

    def _condition_text(self, condition: str) -> str:
        if condition not in self.conditions:
            known = ", ".join(sorted(self.conditions)) or "none"
            raise DataRefused(f"condition is {condition!r}; conditioning.conditions has: {known}")
        return self.conditions[condition]

    def response_ids(self, text: str) -> list[int]:
        """The ids of a response that a person wrote, its end of turn included."""
        return [*self.text_ids(text), self.stop_token_ids[0]]

    def document_ids(self, text: str) -> list[int]:
        """The ids of a document for pretraining, its end included."""
        end = self.tokenizer.eos_token_id
        return [*self._start_ids, *self.text_ids(text), self.stop_token_ids[0] if end is None else end]

    def text_ids(self, text: str) -> list[int]:
        """The ids of a text that holds no control token, whatever is written in it."""
        ids: list[int] = []
        for piece in self._between_characters_of_control_tokens(text):
            ids += self.tokenizer(piece, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def _between_characters_of_control_tokens(self, text: str) -> list[str]:
        """The text, cut once inside every control token that the tokenizer does not mark as special and so would match
        even in text. Tokens that are marked need no cut.
        """
        pieces, start = [], 0
        for match in self._unmarked_control_tokens.finditer(text):
            pieces.append(text[start : match.start() + 1])
            start = match.start() + 1
        return [*pieces, text[start:]]

    @cached_property
    def _unmarked_control_tokens(self) -> re.Pattern[str]:
        added = self.tokenizer.added_tokens_decoder
        unmarked = {
            token.content
            for token_id, token in added.items()
            if not token.special and (token.content in (self.template or "") or token_id in self.stop_token_ids)
        }
        names = sorted((name for name in unmarked if not name.isspace()), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, names)) or "(?!)")

    @cached_property
    def _start_ids(self) -> list[int]:
        """What the tokenizer puts before any text: a BOS, or nothing."""
        ids: list[int] = self.tokenizer("")["input_ids"]
        return [token_id for token_id in ids if token_id != self.tokenizer.eos_token_id]

    def text(self, token_ids: Sequence[int]) -> str:
        """What a person reads: without the end of turn and other control tokens."""
        return cast(
            str, self.tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )


def without_clock(template: str) -> str:
    """The template, as it writes the same date every day."""
    return STOPPED_CLOCK + template if "strftime_now" in template else template


def _with_system_message(chat: list[dict[str, str]], text: str) -> list[dict[str, str]]:
    """A chat has one system message at most: a condition joins the one that is there."""
    if chat[0]["role"] == "system":
        return [{"role": "system", "content": f"{text}\n\n{chat[0]['content']}"}, *chat[1:]]
    return [{"role": "system", "content": text}, *chat]


def prepare_tokens(
    tokenizer: PreTrainedTokenizerBase, tokens: settings.Tokens, conditioning: settings.Conditioning
) -> ChatTokens:
    """Chooses the template, the stop ids and a PAD. Adds tokens that are missing: `models.grow_vocabulary` makes room.

    Raises ConfigRefused if nothing is known that would end a response.
    """
    template = _choose_template(tokenizer, tokens)
    stops = tokens.stop_token_ids or _find_stops(tokenizer, template)
    too_large = [stop for stop in stops if stop >= len(tokenizer)]
    if too_large:
        raise ConfigRefused(f"tokens.stop_token_ids holds {too_large[0]}; the vocabulary ends at {len(tokenizer) - 1}")
    pad = _choose_pad(tokenizer, stops)
    return ChatTokens(tokenizer, template, tuple(stops), pad, conditioning.conditions)


def _choose_template(tokenizer: PreTrainedTokenizerBase, tokens: settings.Tokens) -> str | None:
    if tokens.prompt_format == "plain":
        return None
    if tokens.chat_template == "model" and tokenizer.chat_template:
        own: str = tokenizer.get_chat_template()
        return own
    missing = [token for token in CHAT_TOKENS if token not in tokenizer.get_vocab()]
    if missing:
        tokenizer.add_special_tokens({"extra_special_tokens": missing}, replace_extra_special_tokens=False)
    tokenizer.chat_template = CHAT_TEMPLATE
    return CHAT_TEMPLATE


def _find_stops(tokenizer: PreTrainedTokenizerBase, template: str | None) -> tuple[int, ...]:
    """The first control token that a template writes after an assistant's words; without one, the end of text."""
    found = None if template is None else _end_of_turn(tokenizer, template)
    stop = tokenizer.eos_token_id if found is None else found
    if stop is None:
        raise ConfigRefused(
            "tokens.stop_token_ids is null, and the tokenizer names no token that ends a text; name one"
        )
    return (stop,)


def _end_of_turn(tokenizer: PreTrainedTokenizerBase, template: str) -> int | None:
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": SENTINEL}]
    try:
        written = cast(str, tokenizer.apply_chat_template(chat, chat_template=without_clock(template), tokenize=False))
    except TemplateError as error:  # as one that reaches for Python, which the sandbox keeps from it
        raise ConfigRefused(f"the model's chat template cannot be used: {error}; take another model") from error
    _, _, after = written.rpartition(SENTINEL)
    ids: list[int] = tokenizer(after, add_special_tokens=False)["input_ids"]
    return next((token_id for token_id in ids if token_id in tokenizer.added_tokens_decoder), None)


def _choose_pad(tokenizer: PreTrainedTokenizerBase, stops: Iterable[int]) -> int:
    """A PAD that ends nothing: many tokenizers name their EOS, and a model that never learns its EOS never stops."""
    ends = {*stops, tokenizer.eos_token_id}
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id in ends:
        tokenizer.add_special_tokens({"pad_token": PAD})
    pad: int = tokenizer.pad_token_id
    return pad


def difference(one: ChatTokens, other: ChatTokens) -> str | None:
    """In what the two would write a chat otherwise, in words for a complaint; None where both write the same."""
    if one.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        return "another tokenizer"
    if one.template != other.template:
        return "another chat template"
    if one.stop_token_ids != other.stop_token_ids:
        return "other tokens that end a response"
    return None


def keeps_condition(row_id: str, *, seed: int, dropout: float) -> bool:
    """Whether a row keeps its condition's message: drawn from the row's id, so that it is the same in every epoch."""
    digest = hashlib.sha256(f"{seed}:{row_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 >= dropout


@dataclass
class Budget:
    """Which rows fit into the configured lengths, and a count of those that do not."""

    lengths: settings.Lengths
    prompts: int = 0
    responses: int = 0
    contexts: int = 0
    examples: list[str] = field(default_factory=list)

    def fits(self, row: HasId, *, prompt: Sequence[int], responses: Sequence[Sequence[int]] = ()) -> bool:
        """False, and counted, if the prompt or any response is too long, or both together.

        Raises DataRefused, naming the row, where lengths.overlong is "refuse".
        """
        longest = max(map(len, responses), default=0)
        limits = self.lengths
        if len(prompt) > limits.prompt_tokens:
            self.prompts += 1
            return self._too_long(row.id, f"prompt has {len(prompt)} tokens; at most {limits.prompt_tokens}")
        if longest > limits.response_tokens:
            self.responses += 1
            return self._too_long(row.id, f"response has {longest} tokens; at most {limits.response_tokens}")
        if len(prompt) + max(longest, 1) > limits.context_tokens:
            self.contexts += 1
            both = len(prompt) + max(longest, 1)
            return self._too_long(row.id, f"prompt and response have {both} tokens; at most {limits.context_tokens}")
        return True

    def _too_long(self, row_id: str, problem: str) -> bool:
        if self.lengths.overlong == "refuse":
            raise DataRefused(f"row {row_id}: its {problem} fit, and lengths.overlong is refuse")
        if len(self.examples) < EXAMPLES:
            self.examples.append(row_id)
        return False

    @property
    def left_out(self) -> int:
        return self.prompts + self.responses + self.contexts

    def report(self) -> dict[str, Any]:
        """For events.jsonl and report.json."""
        return {
            "left_out": self.left_out, "prompt_too_long": self.prompts, "response_too_long": self.responses,
            "together_too_long": self.contexts, "examples": list(self.examples),
        }  # fmt: skip
