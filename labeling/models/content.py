"""What texts may hold that some people would rather not read."""

from enum import IntFlag

from django.utils.translation import gettext_lazy


class Content(IntFlag):
    """Kinds of distressing material, as bits: a prompt, its tasks and a labeler's wishes each hold a sum of them."""

    SEXUAL = 1
    VIOLENT = 2
    SELF_HARM = 4
    ABUSE = 8
    HATE = 16

    @property
    def words(self) -> str:
        """What one kind is called on pages."""
        return str(WORDS[self])


WORDS = {
    Content.SEXUAL: gettext_lazy("sexual content"),
    Content.VIOLENT: gettext_lazy("violence"),
    Content.SELF_HARM: gettext_lazy("suicide and self-harm"),
    Content.ABUSE: gettext_lazy("abuse and terrorism"),
    Content.HATE: gettext_lazy("hatred of groups of people"),
}


def kinds_in(content: int) -> list[Content]:
    """Each kind of a sum by itself."""
    return [kind for kind in Content if content & kind]
