"""Every sentence that a labeler meets can be translated: no template, script or module holds one that is bare."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.template.base import Lexer, TokenType
from django.utils.translation import override, trans_real
from django.utils.translation.trans_real import TranslationCatalog

from labeling.checking import Said, Work, problems_of
from labeling.models import Campaign, Guideline

TEMPLATES = Path(settings.BASE_DIR) / "templates"
SCRIPTS = Path(settings.BASE_DIR) / "static" / "js"
OF_LABELERS = (
    "labeling/*.html",
    "*.html",
    "account/*.html",
    "mfa/**/*.html",
    "socialaccount/*.html",
    "allauth/layouts/base.html",
    "people/invitation*.html",
    "people/leave.html",
    "people/_pages.html",
    "people/background.html",
    "qualifications/mine.html",
)
OF_THE_CONSOLE = {
    "_filters.html", "_older.html", "_pages.html", "_labeler.html", "_turns.html", "_field.html", "_members.html",
    "reference.html",
}  # fmt: skip
SAID = re.compile(r"""\b(?:aria-label|title|placeholder|alt|data-head|data-says)="([^"]*)\"""")
NO_TEXT = re.compile(r"\{% block (body_class|workspace) %\}.*?\{% endblock %\}")
"""Blocks that hold attributes."""
NO_SENTENCES = {"Accord", "Accord\x00 · Accord", "Ctrl", "Esc", "python manage.py sign_in_link USER", "A", "B"}
"""Names, keys and commands."""
ADDRESSED = re.compile(r"\b(?:gettext|querySelector(?:All)?|closest|matches|find|one|all|matchMedia)\(\s*([\"'`]).*?\1")
"""What goes through gettext, and selectors."""
NUMBERED = re.compile(r"\bngettext\(\s*([\"'`]).*?\1,\s*([\"'`]).*?\2")
"""Both forms of what is said of a number."""
NO_WORDS = ("textarea,", "btn ", "turn ")
"""A selector, classes."""
MODULES = Path(settings.BASE_DIR) / "labeling"
OF_LABELERS_IN_PYTHON = (
    *(
        "checking",
        "prompt_writing",
        "prompt_screen",
        "written_prompts",
        "standing",
        "submitting",
        "skipping",
        "forms",
        "assigning",
    ),
    *("screens", "questions", "distress", "reviewing", "access", "own_pages", "names", "places"),
    "enrolling",
    "single_sign_on",
    *("models/content", "models/review", "models/prompt"),
    *(f"views/{name}" for name in ("task", "draft", "skip", "question", "avoided", "guideline", "queue", "my_work")),
    *(f"views/{name}" for name in ("home", "link", "invitation", "too_large", "member", "account", "single_sign_on")),
)
DANISH = {
    "Nothing is ranked yet. Rank the responses, skip, or say that none is acceptable.": "Intet er rangeret endnu.",
    "Only response %(letter)s is ranked; an order needs at least two.": "Kun svar %(letter)s er rangeret.",
}
TRANSLATES = {"gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
NOT_FOR_READERS = {"help_text"}
"""Arguments whose text no labeler sees."""
OF_THE_CONSOLE_SCRIPTS = {"live-curves.js", "guideline-editor.js"}


def templates() -> list[str]:
    found = {path for pattern in OF_LABELERS for path in TEMPLATES.glob(pattern) if path.name not in OF_THE_CONSOLE}
    return sorted(path.relative_to(TEMPLATES).as_posix() for path in found)


def bare(source: str) -> list[str]:
    """Pieces with a word in them that stand outside a translation, attributes that are read out included."""
    found, within = "", False
    for token in Lexer(NO_TEXT.sub("", source)).tokenize():
        if token.token_type == TokenType.BLOCK:
            word = token.contents.split()[0]
            within = word == "blocktranslate" or (within and word != "endblocktranslate")
            found += "\x00"  # The place of a tag or a value.
        elif token.token_type == TokenType.TEXT and not within:
            found += token.contents
        elif token.token_type == TokenType.VAR:
            found += "\x00"
    found = re.sub(r"<(svg|kbd|code|script)\b.*?</\1>", "", found, flags=re.DOTALL)
    texts = re.sub(r"<[^>]*>", "\n", found, flags=re.DOTALL).splitlines() + SAID.findall(found)
    pieces = (piece.strip(" \x00.,:;·–←→⏎()") for piece in texts)
    return [piece for piece in pieces if re.search(r"[^\W\d_]", piece) and piece not in NO_SENTENCES]


@pytest.mark.parametrize("name", templates())
def test_no_sentence_stands_bare_in_a_labelers_template(name: str) -> None:
    assert bare((TEMPLATES / name).read_text()) == []


def test_a_bare_sentence_would_be_found() -> None:
    source = '{% translate "Kept" %} <b aria-label="Heard">{{ name }} is bare</b>'
    assert bare(source + "{% blocktranslate %}in{% endblocktranslate %}") == ["is bare", "Heard"]


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.js")))
def test_no_sentence_stands_bare_in_a_labelers_script(script: str) -> None:
    """What is announced, shown or labelled comes through gettext: two words in quotes are a sentence."""
    if script in OF_THE_CONSOLE_SCRIPTS:
        pytest.skip("the console's script")
    source = re.sub(r"/\*.*?\*/", "", (SCRIPTS / script).read_text(), flags=re.DOTALL)
    source = NUMBERED.sub("", ADDRESSED.sub("", re.sub(r"(?<!:)//.*", "", source)))
    quoted = (text for _, text in re.findall(r"([\"'`])([^\"'`\n]*)\1", source))
    bare = [text for text in quoted if re.search(r"[A-Za-z]{2,} [a-z]{2,}", text)]
    assert [text for text in bare if not text.startswith(NO_WORDS)] == []


def bare_in_python(source: str) -> Iterator[str]:
    """Texts of two words and more that go through no gettext; docstrings and exceptions of programmers and the log
    aside."""
    tree = ast.parse(source)
    let = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        called = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        if called in TRANSLATES or called in {"ValueError", "exception"}:
            let |= {id(inner) for inner in ast.walk(node)}
        if isinstance(node, ast.keyword) and node.arg in NOT_FOR_READERS:
            let.add(id(node.value))
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in let else None
        if isinstance(text, str) and re.search(r"[A-Za-z]{2,} [a-z]{2,}", text):
            yield text


@pytest.mark.parametrize("name", OF_LABELERS_IN_PYTHON)
def test_no_sentence_stands_bare_in_a_labelers_module(name: str) -> None:
    assert list(bare_in_python((MODULES / f"{name}.py").read_text())) == []


def test_a_bare_sentence_in_python_would_be_found() -> None:
    source = '"""What it does."""\nsay(gettext("It is kept"), f"It is {bare} so far", "Quite bare")'
    assert sorted(bare_in_python(source)) == [" so far", "It is ", "Quite bare"]


def test_what_is_refused_is_said_in_the_language_of_the_page() -> None:
    """A catalogue of two sentences, as docs/translating.md has them made; the values find their places."""
    guideline = Guideline(kind="ranking", flags=[], scales=[])
    campaign = Campaign(kind="ranking", guideline=guideline)
    with override("da"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(trans_real.translation("da"), "_catalog", TranslationCatalog())
        catalogue = trans_real.translation("da")._catalog
        catalogue.update(SimpleNamespace(_catalog=DANISH, plural=lambda number: int(number != 1)))
        nothing, one = (problems_of(Work(responses=said), campaign, 4)[0] for said in ({}, {"B": Said(rank=1)}))
    assert nothing.message == "Intet er rangeret endnu."
    assert one.message == "Kun svar B er rangeret."
