"""The pages of docs/ and the README: every link leads somewhere, and the site made of them asks nobody for anything.

Addresses elsewhere are read for their form alone: a test does not knock on other people's doors. `make docs`, which
`make lint` runs, builds the whole site and takes every warning for a failure, a page without a place in it too.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

pytestmark = pytest.mark.sqlite

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
MARKDOWN = MarkdownIt().enable("table")
OF_SCREENS = ("labelers", "reviewers", "researchers", "tutorial")
"""Pages on which italics are what a screen says."""
PUT_TOGETHER = {
    *("Saved 12:04:31", "Saved on this device, no connection", "It is yours until …", "gold of …", "Publish version 1"),
    *("Launch SFT", "Launch Sample", "Launch Reward model", "Launch PPO", "Launch Evaluate", "Rollouts to read"),
}
"""Words that a screen puts together from parts, and that were looked up there by hand."""


def inline(text: str) -> Iterator[Token]:
    for block in MARKDOWN.parse(text):
        yield from block.children or []


def links(text: str) -> list[str]:
    return [str(token.attrs["href"]) for token in inline(text) if token.type == "link_open"]


def pictures(text: str) -> list[str]:
    return [str(token.attrs["src"]) for token in inline(text) if token.type == "image"]


def italics(text: str) -> Iterator[str]:
    """What stands in italics, on one line."""
    for block in MARKDOWN.parse(text):
        tokens = block.children or []
        ends = [number for number, token in enumerate(tokens) if token.type == "em_close"]
        begins = [number for number, token in enumerate(tokens) if token.type == "em_open"]
        for begin, end in zip(begins, ends, strict=True):
            yield " ".join(" ".join(token.content or " " for token in tokens[begin:end]).split())


@cache
def said_by_screens() -> str:
    """Templates, scripts and sentences of the code, each with its markup and once without."""
    files = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "js").rglob("*.js")]
    files += [*(ROOT / "labeling").rglob("*.py"), *(ROOT / "training").rglob("*.py")]
    text = " ".join(path.read_text(encoding="utf-8") for path in files)
    bare = re.sub(r"<[^>]*>|\{%[^%]*%\}|\{\{[^}]*\}\}", " ", text)
    return " ".join([*text.split(), *bare.split()])


def not_on_a_screen(text: str) -> list[str]:
    return [words for words in italics(text) if words not in PUT_TOGETHER and words not in said_by_screens()]


@cache
def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in addresses: in small letters, without signs, a repeated one numbered."""
    blocks = MARKDOWN.parse(page.read_text(encoding="utf-8"))
    found: Counter[str] = Counter()
    for before, block in zip(blocks, blocks[1:], strict=False):
        if before.type == "heading_open":
            words = "".join(token.content for token in block.children or [] if token.type in ("text", "code_inline"))
            name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found[name] += 1
    return {name if not again else f"{name}-{again}" for name, many in found.items() for again in range(many)}


def missing(page: Path, text: str) -> list[str]:
    """Links and pictures of the text, as standing on the page, that lead to no file or to no heading of it."""
    lost = []
    for target in [*links(text), *pictures(text)]:
        if urlsplit(target).scheme:
            continue
        path, _, anchor = unquote(target).partition("#")
        there = (page.parent / path).resolve() if path else page
        leads_out = not there.is_relative_to(ROOT)
        if leads_out or not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    return lost


def malformed(text: str) -> list[str]:
    """Addresses elsewhere that are no https address of a host, or name a port or a person."""
    return [
        target
        for target in links(text)
        if (parts := urlsplit(target)).scheme
        and not (parts.scheme == "https" and re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", parts.netloc))
    ]


def test_every_link_leads_to_a_file_and_a_heading_that_are_there() -> None:
    lost = [f"{page.relative_to(ROOT)} -> {one}" for page in PAGES for one in missing(page, page.read_text("utf-8"))]
    assert lost == []


def test_addresses_elsewhere_are_well_formed_and_no_picture_is_elsewhere() -> None:
    texts = {page.relative_to(ROOT): page.read_text("utf-8") for page in PAGES}
    assert [f"{page} -> {one}" for page, text in texts.items() for one in malformed(text)] == []
    assert [f"{page} -> {one}" for page, text in texts.items() for one in pictures(text) if urlsplit(one).scheme] == []


@pytest.mark.parametrize("link", ["gone.md", "people.md#gone", "#gone", "../../../etc/hostname", "screens/gone.png"])
def test_a_link_that_leads_nowhere_is_noticed(link: str) -> None:
    assert missing(ROOT / "docs" / "api.md", f"See [this]({link}).") == [link]


def test_a_link_within_code_is_no_link() -> None:
    assert missing(ROOT / "docs" / "api.md", "`[this](gone.md)`\n\n    [this](gone.md)\n") == []


@pytest.mark.parametrize(
    "address", ["http://example.org/", "https://localhost/x", "https://10.0.0.1:80/", "ftp://a.org"]
)
def test_a_malformed_address_is_noticed(address: str) -> None:
    assert malformed(f"See [this]({address}).") == [address]


@pytest.mark.parametrize("name", OF_SCREENS)
def test_what_a_page_calls_a_button_stands_on_a_screen(name: str) -> None:
    assert not_on_a_screen((ROOT / "docs" / f"{name}.md").read_text("utf-8")) == []


def test_a_button_that_is_not_there_is_noticed() -> None:
    assert not_on_a_screen("Press *Submit and\nnext*, then *Submit the parcel*.") == ["Submit the parcel"]


def test_a_page_of_the_site_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    """One page is built: style sheets, scripts and fonts are the theme's, the same on all."""
    pages, site = tmp_path / "pages", tmp_path / "site"
    shutil.copytree(ROOT / "docs" / "site", pages / "site")
    shutil.copy(ROOT / "docs" / "conf.py", pages)
    (pages / "index.md").write_text("# One page\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", pages, site], check=True)
    page = (site / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(r'<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)="([^"]+)"', page)
    styles = " ".join(sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css"))
    asked = re.findall(r"""(?:url\(|@import)\s*['"]?((?:https?:)?//[^'")\s]+)""", styles)
    assert "accord.css" in page
    assert len(loaded) > 5
    assert [one for one in loaded if re.match(r"(?:https?:)?//", one)] + asked == []
