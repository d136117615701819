"""python -m tests.rules --write: makes docs/correctness.md; without --write: says whether it is up to date."""

import sys

from tests.rules.page import PAGE, page, write

if "--write" in sys.argv[1:]:
    write()
elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
    sys.exit("docs/correctness.md is not what the marks say; python -m tests.rules --write")
