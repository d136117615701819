"""python -m tests.licences: writes docs/licences.md, the licence of everything that requirements.lock installs, as each
package says it of itself in the metadata that is installed with it.

Accord is under Apache-2.0. What it stands on is imported, not copied into it: licences that ask no more of such use
than to be named are fine, and weak copyleft (MPL, LGPL) is, for a package that anybody can exchange. What is not on the
list below fails the test, and somebody has to read it.
"""

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK, PAGE = ROOT / "requirements.lock", ROOT / "docs" / "licences.md"

FINE = {
    *("MIT", "MIT-0", "MIT-CMU", "BSD", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "Zlib", "Apache-2.0", "PSF-2.0"),
    *("Python-2.0", "CNRI-Python", "HPND", "Unlicense", "CC0-1.0", "BSL-1.0", "Apache-2.0 WITH LLVM-exception"),
}
WEAK_COPYLEFT = {"MPL-2.0", "LGPL-2.1-only", "LGPL-3.0-only", "LGPL-3.0-or-later", "LGPL-2.1-or-later"}
BY_CLASSIFIER = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
BY_WORDS = {
    "mit": "MIT",
    "mit license": "MIT",
    "bsd": "BSD",
    "bsd license": "BSD",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "mpl-2.0": "MPL-2.0",
    "apache 2.0 license": "Apache-2.0",
    "psf-2.0": "PSF-2.0",
    "isc": "ISC",
    "mpl-2.0 and mit": "MPL-2.0 AND MIT",
    "bsd 3-clause or apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "bsd-3-clause or apache-2.0": "BSD-3-Clause OR Apache-2.0",
}
"""Of what packages wrote before there was a field for an expression."""


@dataclass(frozen=True)
class Package:
    """licence: an SPDX expression; "" where the package says none that is known here."""

    name: str
    version: str
    licence: str

    @property
    def is_fine(self) -> bool:
        """One of the choices that it leaves is on the lists, each part of it."""
        choices = [{part.strip("() ") for part in choice.split(" AND ")} for choice in self.licence.split(" OR ")]
        return any(choice <= FINE | WEAK_COPYLEFT for choice in choices)


def packages() -> list[Package]:
    """Raises PackageNotFoundError where the lock file names what is not installed."""
    named = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [Package(name, version, licence_of(name)) for name, version in named]


def licence_of(name: str) -> str:
    said = metadata(name)
    if expression := said.get("License-Expression"):
        return str(expression)
    words = (said.get("License") or "").strip()
    if known := BY_WORDS.get(words.lower()):
        return known
    classifiers = [
        one.rpartition(" :: ")[2] for one in said.get_all("Classifier") or [] if one.startswith("License ::")
    ]
    found = [BY_CLASSIFIER[one] for one in classifiers if one in BY_CLASSIFIER]
    return " OR ".join(found)


def as_page() -> str:
    rows = "\n".join(f"| {one.name} | {one.version} | {one.licence} |" for one in packages())
    return f"{HEAD}\n| package | version | licence |\n|---|---|---|\n{rows}\n"


HEAD = """\
# Licences of what Accord stands on

Accord is under Apache-2.0. Everything that requirements.lock installs, with its licence as the package says it of
itself. MPL-2.0 and LGPL packages are imported as they are, and can be exchanged; a change of one of them would be
published under its own licence. A CUDA build of torch brings NVIDIA's libraries under NVIDIA's own terms; they are no
part of this list.

Made by `python -m tests.licences`. `make audit` asks a public index whether weaknesses of these versions are known; it
needs a network, and fails where it gets no answer about one of them.
"""

if __name__ == "__main__":
    try:
        PAGE.write_text(as_page(), encoding="utf-8")
    except PackageNotFoundError as missing:
        raise SystemExit(f"{missing}; install requirements.lock first") from None
