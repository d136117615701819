"""Where a file lies whose name stands in a row: below the folder it belongs to, and nowhere else."""

from pathlib import Path


def kept_in(folder: Path, name: str) -> Path | None:
    """The file's path, whether or not there is one; None for a name that leads out of the folder, by dots, as an
    absolute path, by a link or in any other way. The names are our own; a row that says otherwise was written past us.
    """
    if not name or "\0" in name:
        return None
    root = folder.resolve()
    path = (root / name).resolve()
    return path if path != root and path.is_relative_to(root) else None
