"""Untrusted markdown becomes safe HTML: prompts, responses, guidelines, notes.

Three walls: the parser takes no HTML, the sanitiser keeps a short list of tags, the page's content security policy runs
no script that is not ours. Remote images are named, not loaded: loading one would tell its server who reads what.
Rendering costs milliseconds a text, so the result is cached by the text's hash.
"""

import re
from collections.abc import Sequence
from functools import cache as once
from hashlib import sha256
from html import escape

import nh3
from django.conf import settings
from django.core.cache import cache
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Number, String, _TokenType

from labeling.near import Near

VERSION = 2
"""Part of the cache's key: raise it when the same text is to be rendered differently."""
KEEP_SECONDS = 60 * 60 * 24 * 7
LONGEST = 20_000
"""Characters; a longer text is shown as it is typed, since markdown's worst cases cost more than linear time."""
MOST_CELLS = 10_000
"""A text that could hold more table cells than these is shown without tables: short rows are filled up to the width of
the first, so 8 KB can ask for two million cells."""
HIGHLIGHTED_BLOCK, HIGHLIGHTED_TEXT = 2_000, 6_000
"""Characters of code that are highlighted, of one block and of a text; many lexers cost more than linear time."""
LEXERS = frozenset(
    [
        *("bash", "console", "sh", "shell", "c", "c++", "cpp", "go", "golang", "java", "kotlin", "rs", "rust", "swift"),
        *("javascript", "js", "jsx", "ts", "typescript", "css", "html", "xml", "php", "lua", "py", "python", "python3"),
        *("r", "rb", "ruby", "scala", "sql", "diff", "ini", "json", "toml", "yaml", "yml"),
    ]
)
"""Languages that are highlighted; those left out are rare, or cost seconds for a kilobyte of the wrong text."""

TAGS = {"p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "h3", "h4", "hr", "a", "span"}
TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td", "div"}
ATTRIBUTES = {
    "a": {"href", "title", "target"},
    "ol": {"start"},
    "span": {"class"},
    "pre": {"class", "tabindex", "role", "aria-label"},
    "div": {"class", "tabindex", "role", "aria-label"},
}
# Overrides can make a text read as something else than it is; isolates and marks are left to right-to-left writers.
OVERRIDES = re.compile("[\u202d\u202e]")
# A task is shown to several labelers within minutes, and its campaign's guideline to all of them.
_near = Near(characters=16_000_000, seconds=60 * 60)
CODE_CLASSES = ((Keyword, "k"), (String, "s"), (Comment, "c"), (Number, "m"))


def render(text: str) -> SafeString:
    """One text as HTML."""
    return render_all([text])[0]


def render_all(texts: Sequence[str]) -> list[SafeString]:
    """Each text as HTML, in the order given; one look into the cache for all."""
    # What is said of code and tables for those who do not see them is in the language of the page.
    kind = f"markdown:{VERSION}:{get_language()}"
    keys = [f"{kind}:{sha256(text.encode(errors='replace')).hexdigest()}" for text in texts]
    found = {key: html for key in keys if (html := _near.get(key)) is not None}
    if far := [key for key in keys if key not in found]:
        fetched = cache.get_many(far)
        made = {key: _render(text) for key, text in zip(keys, texts, strict=True) if key in far and key not in fetched}
        if made:
            cache.set_many(made, KEEP_SECONDS)
        for key, html in (fetched | made).items():
            _near.put(key, html)
        found |= fetched | made
    return [mark_safe(found[key]) for key in keys]


def forget_rendered(texts: Sequence[str]) -> None:
    """What was erased is in the shared cache no more; other processes keep at hand what they have, for an hour."""
    hashes = [sha256(text.encode(errors="replace")).hexdigest() for text in texts]
    cache.delete_many([f"markdown:{VERSION}:{code}:{one}" for code, _ in settings.LANGUAGES for one in hashes])
    _near.clear()


def _render(text: str) -> str:
    # Half of a character pair, which JSON can carry, has no UTF-8.
    text = text.replace("\0", "\ufffd").encode(errors="replace").decode()
    text = OVERRIDES.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)
    if len(text) > LONGEST:
        html = f'<pre class="plain">{escape(text)}</pre>'
    else:
        parser = _parser(tables=_most_cells(text) <= MOST_CELLS)
        tokens = parser.parse(text)
        _level_headings(tokens)
        html = parser.renderer.render(tokens, parser.options, {})
    return nh3.clean(html, tags=TAGS | TABLE_TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"})


def _most_cells(text: str) -> int:
    """Never fewer than the cells of the text's tables: a table ends at an empty line, and is no wider than its widest
    line."""
    blocks = (block.splitlines() for block in re.split(r"\n[ \t]*\n", text) if "|" in block)
    return sum(len(lines) * (1 + max(line.count("|") for line in lines)) for lines in blocks)


@once
def _parser(*, tables: bool) -> MarkdownIt:
    # breaks: a line break that the writer made stays; models write lists and verse without markdown's two spaces.
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("strikethrough")
    if tables:
        parser.enable("table")
    for name, rule in {"fence": _code, "code_block": _code, "image": _image}.items():
        parser.add_render_rule(name, rule)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    parser.add_render_rule("link_open", _link_open)
    return parser


def _level_headings(tokens: list[Token]) -> None:
    """The text's own top level becomes h3, everything below it h4: the page's outline goes on without a hole."""
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close")]
    top = min((token.tag for token in headings), default="")
    for token in headings:
        token.tag = "h3" if token.tag == top else "h4"


def _code(self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    language = (tokens[place].info.split() or [""])[0]
    body = _highlight(tokens[place].content, language, env)
    is_named = re.fullmatch(r"[\w+#.-]{1,20}", language)
    label = gettext("%(language)s code") % {"language": language} if is_named else gettext("code")
    # Long lines scroll inside the block, so it takes the focus: a keyboard scrolls it too.
    return f'<pre class="codeblock" tabindex="0" role="group" aria-label="{escape(label)}"><code>{body}</code></pre>\n'


def _highlight(source: str, language: str, env: EnvType) -> str:
    """env: what the blocks of one text share; it counts what was highlighted of it already."""
    in_all = env.get("highlighted", 0) + len(source)
    if language.lower() not in LEXERS or len(source) > HIGHLIGHTED_BLOCK or in_all > HIGHLIGHTED_TEXT:
        return escape(source)
    env["highlighted"] = in_all
    return "".join(_code_piece(kind, piece) for kind, piece in get_lexer_by_name(language).get_tokens(source))


def _code_piece(kind: _TokenType, piece: str) -> str:
    for group, css_class in CODE_CLASSES:
        if kind in group:
            return f'<span class="{css_class}">{escape(piece)}</span>'
    return escape(piece)


def _image(self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    says = gettext("[image: %(description)s]")
    return escape(says % {"description": tokens[place].content or gettext("without a description")})


def _table_open(self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    return f'<div class="prose__table" tabindex="0" role="group" aria-label="{escape(gettext("table"))}"><table>\n'


def _table_close(self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    return "</table></div>\n"


def _link_open(self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    # Beside the work, never instead of it.
    tokens[place].attrSet("target", "_blank")
    return self.renderToken(tokens, place, options, env)
