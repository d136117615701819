"""Cells of a CSV file that somebody will open in a spreadsheet, where a cell that begins like a formula is run."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def neutral(cell: object) -> str:
    """The cell as text; what a spreadsheet would take for a formula begins with an apostrophe. Numbers stay."""
    text = str(cell)
    if isinstance(cell, str) and text.lstrip(" \u00a0\ufeff").startswith(FORMULA_STARTS):
        return f"'{text}"
    return text
