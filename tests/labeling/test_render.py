"""Hostile text is neutralised, and honest text is shown whole."""

import re
import time
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.utils.translation import override, trans_real
from django.utils.translation.trans_real import TranslationCatalog

from labeling import rendering
from labeling.rendering import render, render_all

pytestmark = [pytest.mark.sqlite, pytest.mark.threat(4)]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()
    rendering._near.clear()


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "<javascript:alert(1)>",
        "![x](https://tracker.example/p.png)",
        '![x](x" onerror="alert(1))',
        '```html" onmouseover="alert(1)\n<b>\n```',
        "```<script>\nx\n```",
        "`<script>alert(1)</script>`",
        "[x]: javascript:alert(1)\n\n[x]",
        "<style>*{display:none}</style>",
        "<a href='javascript:alert(1)'>x</a>",
        "| <script> |\n|---|\n| <img onerror=1> |",
    ],
)
def test_no_script_no_handler_no_remote_image_gets_through(text: str) -> None:
    html = render(text)
    tags = "".join(re.findall(r"<[^>]*>", html))
    assert not re.search(r"<(script|img|svg|style|iframe|object)", tags, re.I)
    assert not re.search(r"\son\w+\s*=", tags, re.I)
    assert not re.search(r"(javascript|vbscript|data):", tags, re.I)


def test_html_is_shown_as_it_was_typed() -> None:
    assert "&lt;b&gt;bold&lt;/b&gt;" in render("<b>bold</b>")


def test_an_image_is_named_and_not_loaded() -> None:
    assert "[image: a cat]" in render("![a cat](https://example.org/cat.png)")


def test_a_link_opens_beside_the_work_and_tells_its_target_nothing() -> None:
    html = render("[x](https://example.org)")
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer"' in html


def test_line_breaks_that_the_writer_made_stay() -> None:
    assert render("one\ntwo") == "<p>one<br>\ntwo</p>\n"


def test_headings_go_on_below_the_page_without_a_hole() -> None:
    assert re.findall(r"<(h\d)>", render("# A\n\n#### B\n\n## C")) == ["h3", "h4", "h4"]
    assert re.findall(r"<(h\d)>", render("#### only")) == ["h3"]


def test_code_is_highlighted_in_the_languages_that_are_known_and_plain_in_others() -> None:
    assert '<span class="k">def</span>' in render("```python\ndef f(): pass\n```")
    assert "def f()" in render("```no-such-language\ndef f(): pass\n```")


def test_direction_overrides_are_made_visible_and_right_to_left_text_is_left_alone() -> None:
    assert "[U+202E]exe.txt" in render("\u202eexe.txt")
    assert "שלום\u200f" in render("שלום\u200f")


def table(columns: int, rows: int) -> str:
    """A table whose rows are shorter than its head."""
    return "|".join(["a"] * columns) + "\n" + "|".join(["-"] * columns) + "\n" + "a\n" * rows


STRANGE = {
    "a NUL": "\0",
    "half a pair": "\ud800",
    "150,000 letters": "a" * 150_000,
    "quotes": "> " * 2_000,
    "emphasis": "*_" * 5_000,
    "a long run of backticks": "`" * 9_999,
    "99,000 brackets": "[" * 99_000,
    "as many brackets as are looked at": "[" * 20_000,
    "images that never end": "![" * 10_000,
    "java": f"```java\n{'a ' * 4_000}\n```",
    "java in small blocks": f"```java\n{'a ' * 990}\n```\n" * 10,
    "http": f"```http\n{'a' * 20_000}\n```",
    "short http": f"```http\n{'a' * 19_900}\n```",
    "php": "```php\n" + '<?php "{$' * 2_000 + "\n```",
    "mako": "```mako\n" + "${" * 20_000 + "\n```",
    "a wide table": table(1_000, 2_000),
    "a table at the cap": table(50, 190),
    "a table in a quote": "".join(f"> {line}\n" for line in table(500, 2_000).splitlines()),
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_strange_and_huge_texts_are_rendered_in_time(text: str) -> None:
    start = time.process_time()
    assert render(text)
    assert time.process_time() - start < 4  # a tenth of a second alone; a slow machine took 1.3


def test_what_is_too_much_to_format_is_shown_whole_and_plain() -> None:
    wide = table(1_000, 2_000)
    assert "<table" not in render(wide)
    assert len(re.findall(r"\ba\b", render(wide))) == 3_000
    long = "*a* " * 6_000
    assert long in render(long)
    source = "def f(): pass\n" * 200
    assert source in render(f"```python\n{source}```")


def test_an_ordinary_table_is_a_table() -> None:
    assert render(table(8, 40)).count("<tr>") == 41


def test_the_same_text_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    original = rendering._render
    monkeypatch.setattr(rendering, "_render", lambda text: calls.append(text) or original(text))
    first, second = render_all(["*a*", "b"]), render_all(["b", "*a*"])
    assert calls == ["*a*", "b"]
    assert list(first) == list(reversed(second))


def test_code_and_tables_are_named_in_the_language_of_the_page() -> None:
    """A catalogue of two words; the text is kept in each language."""
    text = f"```python\nx\n```\n\n{table(2, 2)}"
    danish = {"%(language)s code": "%(language)s-kode", "table": "tabel"}
    with override("da"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(trans_real.translation("da"), "_catalog", TranslationCatalog())
        catalogue = trans_real.translation("da")._catalog
        catalogue.update(SimpleNamespace(_catalog=danish, plural=lambda number: int(number != 1)))
        html = render(text)
    assert re.findall(r'aria-label="([^"]*)"', html) == ["python-kode", "tabel"]
    assert re.findall(r'aria-label="([^"]*)"', render(text)) == ["python code", "table"]
