"""What texts may hold that some people would rather not read."""

from enum import IntFlag


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
        return WORDS[self]


WORDS = {
    Content.SEXUAL: "sexual content",
    Content.VIOLENT: "violence",
    Content.SELF_HARM: "suicide and self-harm",
    Content.ABUSE: "abuse and terrorism",
    Content.HATE: "hatred of groups of people",
}


def kinds_in(content: int) -> list[Content]:
    """Each kind of a sum by itself."""
    return [kind for kind in Content if content & kind]
