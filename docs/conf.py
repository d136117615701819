"""The site of these pages: `make docs` builds it into .cache/docs, from nothing but what lies in the repository.

The pages are plain markdown that reads well without the site. So the navigation is not written a second time: it is
what index.md and decisions/README.md link to, in their order, under their headings.
"""

import re

from sphinx.application import Sphinx

project = html_title = "Accord"
extensions = ["myst_parser"]
html_theme = "furo"
html_static_path = ["site"]
html_css_files = ["accord.css"]
html_copy_source = False
smartquotes = False
myst_heading_anchors = 3

LISTS_PAGES = {"index", "decisions/README"}
A_PAGE = re.compile(r"\]\(([\w-][\w/-]*)\.md\)")


def with_navigation(app: Sphinx, page: str, text: list[str]) -> None:
    """Adds to a page that lists others what Sphinx takes its navigation from, a part for each of its parts.

    A page stands where it is named first.
    """
    if page not in LISTS_PAGES:
        return
    named: set[str] = set()
    for heading, part in zip(*parts_of(text[0]), strict=True):
        pages = [one for one in dict.fromkeys(A_PAGE.findall(part)) if one not in named]
        named.update(pages)
        if pages:
            caption = f":caption: {heading}\n" if heading else ""
            text[0] += "\n```{toctree}\n:hidden:\n" + caption + "\n" + "\n".join(pages) + "\n```\n"


def parts_of(text: str) -> tuple[list[str], list[str]]:
    """Headings of the second level, "" for what stands before the first, and what stands under each."""
    before, *rest = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    return ["", *rest[::2]], [before, *rest[1::2]]


def setup(app: Sphinx) -> None:
    app.connect("source-read", with_navigation)
