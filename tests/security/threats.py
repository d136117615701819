"""What is tried against Accord, by number: the attack, what must hold, where that is in the code. docs/security.md is
made of this and of the tests that are marked with the numbers (python -m tests.security); in the tests the attack
stands as an attacker would write it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"


@dataclass(frozen=True)
class Threat:
    """where: files of ours that hold the defence, or hand it to a library."""

    title: str
    attack: str
    defence: str
    where: tuple[str, ...]


THREATS = {
    1: Threat(
        "A known secret, debug pages, any host",
        "A server is started with the secret of an example, with debug pages on, or answers to any host name.",
        "Production refuses to start, and names the variable. Another host is answered 400, and nothing that is not "
        "there tells of the inside.",
        ("config/settings.py",),
    ),
    2: Threat(
        "Filters that walk from row to row",
        "`?submission__labeler__user__password__startswith=p` in addresses, orders, bodies and kept addresses: each "
        "answer tells one letter of a password.",
        "Names on a list, and 400 for every other, in the API, on pages with filters and in the server's own lists.",
        ("labeling/api/resource.py", "labeling/browsing/filters.py", "labeling/exporting/asked.py",
         "labeling/admin.py"),
    ),
    3: Threat(
        "Requests that the server is made to send",
        "A webhook or an import by URL names this machine, its network or the cloud's metadata: in decimal or hex, "
        "mapped into IPv6, by a name that leads elsewhere the second time, by a redirect, as `file:`.",
        "The name is looked up once, every address is vetted, and the connection goes to a vetted one. No redirect is "
        "followed; time and size are limited.",
        ("labeling/outbound.py",),
    ),
    4: Threat(
        "Stored script",
        "Script, handlers, `javascript:` links, SVG, forms and style sheets in prompts, responses, notes, guidelines, "
        "names of people, models, cohorts and files.",
        "The parser takes no HTML, the sanitiser keeps a short list of tags, and the content security policy, in which "
        "nothing is `unsafe-`, stops script by itself.",
        ("labeling/rendering.py", "config/settings.py"),
    ),
    5: Threat(
        "Names that lead out of a folder",
        "`../`, absolute paths, backslashes, NUL and links, as the name of a base model, an upload, an export, a file.",
        "Uploads and exports lie under names of ours; base models directly below one folder; a name that leads out of "
        "its folder is refused or is not there.",
        ("training/base_models.py", "labeling/kept_files.py", "labeling/importing_files.py"),
    ),
    6: Threat(
        "Another's object",
        "Every address by every method as every role, a member of another project and nobody; rows of another project "
        "under one's own.",
        "A matrix kept by hand, compared with the site's own addresses; one that is not in it fails.",
        ("labeling/access.py", "labeling/api/resource.py", "tests/security/matrix.py"),
    ),
    7: Threat(
        "Getting in uninvited",
        "Signing up, accounts that come with the installation, invitations used twice or made to give more.",
        "Accounts are made by invitation, or by whoever runs the server; the first owner's link works once.",
        ("labeling/sign_in.py", "labeling/inviting.py", "labeling/models/people.py"),
    ),
    8: Threat(
        "Headers that only a proxy may send",
        "`X-Forwarded-For` to be counted as somebody else, `X-Forwarded-Proto` to pass for HTTPS, "
        "`X-Forwarded-Host` to "
        "lead mail astray, `Remote-User`.",
        "They are believed of the addresses in ACCORD_PROXIES alone, and of a list of addresses the last that is "
        "none of "
        "these. No header names a host or a user.",
        ("config/proxies.py", "config/settings.py"),
    ),
    9: Threat(
        "Model files that run",
        "Pickles as weights or beside them, `auto_map` and code in the folder, a template that reaches for Python, "
        "files "
        "changed since they were recorded, a pickled message in the queue.",
        "Safetensors alone, no remote code, a sandbox for templates, the hash of every file; trainer states are loaded "
        "as data; Celery takes JSON.",
        ("training/rlhf/models.py", "training/rlhf/tokens.py", "training/rlhf/checkpoints.py",
         "training/rlhf/inputs.py", "config/settings.py"),
    ),
    10: Threat(
        "What errors and others' results tell",
        "The result of a job of another project is asked for; a failure is provoked for its text.",
        "404; an error answers with a number, and under it the log has the text.",
        ("labeling/api/errors.py", "labeling/views/failed.py"),
    ),
    11: Threat(
        "Tokens",
        "Read from a copy of the database or the log; used after their end, in another project, for more, in an "
        "address, or by somebody who left.",
        "Only a digest is kept; a token is shown once, has scopes, one project and an end.",
        ("labeling/models/token.py", "labeling/api/authentication.py", "labeling/views/tokens.py"),
    ),
    12: Threat(
        "Guessing passwords and codes, stealing sessions and accounts",
        "Many guesses from one address, or from many at one account, by other spellings, at the server's own door; "
        "codes and passkeys' answers sent again; a session planted before sign-in, stolen after it; at the identity "
        "provider an address that is somebody else's.",
        "Limits by address and by account, one door, a new session at every sign-in, none left after signing out or a "
        "new password; a code is good once, and an answer for one question; cookies for HTTPS alone; the password, "
        "or the provider, again for what does harm; no account by an address that provider or account did not prove.",
        (
            "labeling/backends.py", "labeling/sessions.py", "labeling/second_factors.py", "labeling/enrolling.py",
            "labeling/single_sign_on.py", "labeling/sign_in.py", "labeling/admin.py", "config/settings.py",
        ),
    ),
    13: Threat(
        "A labeler who looks for what is hidden",
        "Which model wrote what, what others said, which tasks have known answers: by what is sent, by order, ids, "
        "ETags, "
        "lengths, and the work that an answer takes.",
        "Letters in place of ids, orders and ids that are drawn, no ETag that depends on what is hidden, the same "
        "answers by the same work for every task.",
        ("labeling/api/assignments.py", "labeling/views/task.py", "labeling/beside.py", "labeling/submitting.py"),
    ),
    14: Threat(
        "A labeler who cheats",
        "Holding many tasks, one after another or all at once; sending a submission again, or many times at once; "
        "another's assignment, responses that were not shown, holds that are over.",
        "A limit on tasks in hand; a submission counts once; what is not the labeler's is not there; everything else "
        "is refused by name.",
        ("labeling/assigning.py", "labeling/submitting.py", "labeling/checking.py"),
    ),
    15: Threat(
        "Hostile files and bodies",
        "A few kilobytes that unpack to gigabytes, prompts of 50 MB, brackets nested 100,000 deep, NUL, bytes that "
        "are no "
        "UTF-8, numbers without end, cells that are formulas, overrides that turn a text round.",
        "Limits on every body, line, file and depth, refusals with a sentence; formulas begin with an apostrophe; "
        "overrides are shown as what they are.",
        ("labeling/record_lines.py", "labeling/api/reading.py", "labeling/bulk_intake.py", "labeling/cells.py",
         "labeling/rendering.py", "labeling/names.py"),
    ),
    16: Threat(
        "Forged reports of workers",
        "A worker that was given up comes back with results; several take one job; somebody says over HTTP how a job "
        "went.",
        "A claim raises the job's attempt, and whatever an older attempt writes changes nothing. No address takes a "
        "report.",
        ("training/jobs.py", "training/settling.py", "training/rlhf/attempt.py"),
    ),
    17: Threat(
        "Texts that steer",
        "Control tokens of a chat, ours and others', instructions, templates, typed into the form for prompts and "
        "answers.",
        "They are encoded as the characters that they are made of, from the form to the ids.",
        ("training/rlhf/tokens.py",),
    ),
}  # fmt: skip


@cache
def marked() -> dict[int, list[str]]:
    """Number → tests that are marked with it, as file::name, in order."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        for name, numbers in _marks(ast.parse(source)) if "mark.threat(" in source else ():
            for number in numbers:
                found.setdefault(number, []).append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return found


def _marks(module: ast.Module) -> Iterator[tuple[str, set[int]]]:
    of_all: set[int] = set()
    for node in module.body:
        if isinstance(node, ast.Assign) and "pytestmark" in [
            one.id for one in node.targets if isinstance(one, ast.Name)
        ]:
            of_all |= _numbers(node.value)
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, of_all | {number for mark in node.decorator_list for number in _numbers(mark)}


def _numbers(expression: ast.expr) -> set[int]:
    return {
        int(node.args[0].value)
        for node in ast.walk(expression)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "threat"
        and isinstance(node.args[0], ast.Constant)
    }


def as_page() -> str:
    """docs/security.md."""
    tests = marked()
    parts = [HEAD]
    for number, threat in THREATS.items():
        files = ", ".join(f"[{name}](../{name})" for name in threat.where)
        by_file: dict[str, int] = {}
        for test in tests.get(number, []):
            file = test.partition("::")[0]
            by_file[file] = by_file.get(file, 0) + 1
        shown = ", ".join(f"[{file}](../{file}) ({many})" for file, many in by_file.items())
        parts.append(
            f"## {number}. {threat.title}\n\n**Attack.** {threat.attack}\n\n**What holds.** {threat.defence}\n\n"
            f"**Where.** {files}\n\n**Tests.** {shown}\n"
        )
    return "\n".join(parts)


HEAD = """\
# What is tried against Accord

Systems like this one were broken in each of these ways. Each is tried by tests that run with all others: where they
can, against the application as production serves it, over HTTP, before a real PostgreSQL. In brackets: how many test
functions of a file try it. `make trial PART=broken_defences` takes the defences away one by one and sees to it that the
tests notice.

Made by `python -m tests.security`; change tests/security/threats.py, or the marks of the tests, and not this page.

What this does not tell: whether there are other ways. Whoever finds one, please say so to whoever runs the installation
before saying it to everybody.
"""
