"""Numbers in the sentences that people read, as the language of the page writes them."""

from django.utils.formats import number_format


def in_words(number: int) -> str:
    """ "20,001" in English."""
    return number_format(number, force_grouping=True)
