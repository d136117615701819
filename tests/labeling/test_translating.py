"""Every sentence that a labeler meets can be translated: templates hold none that is bare, scripts neither."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.base import Lexer, TokenType

TEMPLATES = Path(settings.BASE_DIR) / "templates"
SCRIPTS = Path(settings.BASE_DIR) / "static" / "js"
OF_LABELERS = (
    "labeling/*.html",
    "*.html",
    "account/*.html",
    "allauth/layouts/base.html",
    "people/invitation*.html",
    "people/leave.html",
    "people/_pages.html",
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
NO_WORDS = ("textarea,", "btn ", "turn ")
"""A selector, classes."""
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
    found = re.sub(r"<(svg|kbd|code)\b.*?</\1>", "", found, flags=re.DOTALL)
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
    source = ADDRESSED.sub("", re.sub(r"(?<!:)//.*", "", source))
    quoted = (text for _, text in re.findall(r"([\"'`])([^\"'`\n]*)\1", source))
    bare = [text for text in quoted if re.search(r"[A-Za-z]{2,} [a-z]{2,}", text)]
    assert [text for text in bare if not text.startswith(NO_WORDS)] == []
