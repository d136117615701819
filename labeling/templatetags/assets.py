"""What a page's head links: {% sheet "work" %}, a stylesheet put into one; {% modules "rank-board" %}, a module, and
hints that let the browser ask for all that it imports at once."""

from django import template
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling.scripts import modules_of
from labeling.sheets import sheet

register = template.Library()


@register.simple_tag(name="sheet")
def sheet_link(name: str) -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', sheet(name).address)


@register.simple_tag
def modules(name: str) -> SafeString:
    needed = ((static(path),) for path in modules_of(name))
    hints = format_html_join("\n", '<link rel="modulepreload" href="{}">', needed)
    return format_html('{}\n<script type="module" src="{}"></script>', hints, static(f"js/{name}.js"))
