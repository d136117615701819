"""The files of a backup: copied with their sha256, checked, and put back.

Hard links stay hard links, since a run folder's data are links to snapshots; symbolic links are kept as they are, and
those into a folder of the backup lead to its new place. What is being written (tmp-…) is left out: it is no checkpoint.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.rlhf.contract.run_folder import file_sha256

PIECE = 1 << 20


@dataclass(frozen=True)
class Kept:
    """path: below the backup's folder. sha256: of a file's bytes; empty for a symbolic link, which has a target."""

    path: str
    bytes: int = 0
    sha256: str = ""
    target: str = ""


Links = dict[tuple[int, int], tuple[Path, Kept]]
"""Copies of files that have several names, by device and inode."""


def copy_folder(source: Path, target: Path, *, name: str, links: Links) -> Iterator[Kept]:
    """Copies all of source to target. name: what the paths told begin with. links: the same for all folders of one
    backup.

    A file that is gone meanwhile was removed by somebody who may: what must be there is looked at afterwards.
    """
    for path in _files(source):
        inside = path.relative_to(source)
        told = f"{name}/{inside.as_posix()}"
        copy = target / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.is_symlink():
                copy.symlink_to(os.readlink(path))
                yield Kept(told, target=os.readlink(path))
                continue
            stat = path.stat()
            first = links.get((stat.st_dev, stat.st_ino))
            if first is not None:
                os.link(first[0], copy)
                yield Kept(told, first[1].bytes, first[1].sha256)
                continue
            size, sha256 = copy_hashed(path, copy)
        except FileNotFoundError:
            copy.unlink(missing_ok=True)
            continue
        kept = Kept(told, size, sha256)
        if stat.st_nlink > 1:
            links[stat.st_dev, stat.st_ino] = (copy, kept)
        yield kept


def _files(source: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(source):
        here = Path(folder)
        linked = [name for name in names if (here / name).is_symlink()]
        names[:] = sorted(name for name in names if name not in linked and not name.startswith("tmp-"))
        yield from (here / name for name in sorted([*files, *linked]) if not name.startswith("tmp-"))


def copy_hashed(source: Path, target: Path) -> tuple[int, str]:
    """Bytes and sha256 of what was written, which is what a file that grows held at that moment."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("xb") as write:
        while piece := read.read(PIECE):
            write.write(piece)
            digest.update(piece)
            size += len(piece)
        write.flush()
        os.fsync(write.fileno())
    shutil.copystat(source, target)
    return size, digest.hexdigest()


def problems_of(folder: Path, kept: list[Kept]) -> list[str]:
    """What differs from the manifest, in sentences: missing, another size, another hash."""
    found = []
    for one in kept:
        path = folder / one.path
        if one.target:
            if not path.is_symlink():
                found.append(f"{one.path} is not there")
        elif not path.is_file():
            found.append(f"{one.path} is not there")
        elif path.stat().st_size != one.bytes:
            found.append(f"{one.path} has {path.stat().st_size} bytes and not {one.bytes}")
        elif file_sha256(path) != one.sha256:
            found.append(f"{one.path} has another sha256")
    return found


def lead_anew(folder: Path, moved: Mapping[Path, Path]) -> None:
    """Symbolic links below folder that led to an old place lead to the new one. moved: old folder -> new folder."""
    for path in _files(folder):
        if not path.is_symlink():
            continue
        led = Path(os.readlink(path))
        for old, new in moved.items():
            if led.is_relative_to(old) and old != new:
                path.unlink()
                path.symlink_to(new / led.relative_to(old))
                break
