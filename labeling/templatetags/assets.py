"""What a page's head links: {% sheet "work" %}, a stylesheet put into one; {% modules "rank-board" %}, a module with
all that it imports."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.scripts import script
from labeling.sheets import sheet

register = template.Library()


@register.simple_tag(name="sheet")
def sheet_link(name: str) -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', sheet(name).address)


@register.simple_tag
def modules(name: str) -> SafeString:
    return format_html('<script type="module" src="{}"></script>', script(name).address)
