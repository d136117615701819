"""Makes the dump of a release: its schema with a little data in every table that people fill.

    python -m tests.upgrade.make_dump tests/upgrade/0.1.0.sql

Run once, when a release is made; the file then stays as it is. Needs createdb, dropdb and pg_dump, and PostgreSQL at
127.0.0.1:5432 (or PGHOST and PGPORT). Every text in it is made up here.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

HOST = os.environ.get("PGHOST", "127.0.0.1")
PORT = os.environ.get("PGPORT", "5432")
USER = os.environ.get("PGUSER", "postgres")
DATABASE = "accord_release_dump"
SLUG = "garden"

PROMPTS = ["How often should I water a fern?", "Name three herbs for a windowsill.", "What is mulch good for?"]


def records() -> list[dict[str, object]]:
    """Demonstrations, rankings with a tie, a comparison and ratings, of two imported labelers."""
    made: list[dict[str, object]] = []
    for number, text in enumerate(PROMPTS):
        prompt = {"id": f"p{number}", "messages": [{"role": "user", "content": text}], "group_key": f"author {number}"}
        answers = [
            {"id": f"p{number}-{letter}", "text": f"Answer {letter} to: {text}", "generator": f"model {letter}"}
            for letter in "abc"
        ]
        made.append(
            {
                "type": "demonstration", "id": f"d{number}", "prompt": prompt,
                "response": {"text": f"A person's answer to: {text}", "labeler": "writer"},
            }
        )  # fmt: skip
        made.append(
            {
                "type": "ranking", "id": f"r{number}", "prompt": prompt, "responses": answers,
                "judged": [{"labeler": "ann", "ranks": [1, 2, 2]}, {"labeler": "ben", "ranks": [2, 1, 3]}],
            }
        )  # fmt: skip
    return made


def fill() -> None:
    """Data by the ways people use: an import, a campaign with a claim, a draft and a submission, a round with a job."""
    from django.core.management import call_command
    from django.db import connection

    from labeling import assigning, submitting
    from labeling.checking import Said, Work
    from labeling.models import Campaign, Membership, Project, User
    from labeling.newcomers import welcome
    from training import rounds

    call_command("migrate", verbosity=0)
    project = welcome()
    assert project is not None
    Project.objects.filter(pk=project.pk).update(slug=SLUG, name="Garden")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "garden.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records()), encoding="utf-8")
        call_command("import_records", SLUG, str(path), stdout=sys.stderr)
        text = Path(folder) / "text.jsonl"
        text.write_text("".join(json.dumps({"text": f"Page {n} of a garden book. " * 40}) + "\n" for n in range(30)))
        call_command("import_text", SLUG, str(text), stdout=sys.stderr)
    call_command("open_campaign", SLUG, "--from-imported", "garden", "--tasks", "3", stdout=sys.stderr)
    campaign = Campaign.objects.get(project=project, state="open")
    member = Membership.objects.get(project=project, user=User.objects.get(username="labeler"))
    labeler = assigning.labeler_of(member)
    first = assigning.claim(campaign, labeler)
    assert first is not None
    said = {
        letter: Said(rank=rank, ratings={"overall": 8 - rank}) for letter, rank in zip("ABC", (1, 2, 2), strict=True)
    }
    submitting.submit(first, Work(responses=said), key=uuid4(), lease_token=first.lease_token)
    second = assigning.claim(campaign, labeler)
    assert second is not None
    submitting.keep_draft(second, {"rank-A": "1"}, lease_token=second.lease_token)
    round_ = rounds.open_round(Project.objects.get(pk=project.pk), recipe="tiny")
    rounds.launch(round_, "pretrain", overrides={"pretrain": {"steps": 3, "tokens_per_step": 256}})
    connection.close()


def main(path: Path) -> None:
    if path.exists():
        sys.exit(f"{path} exists already; a release's dump never changes")
    at = ["--host", HOST, "--port", PORT, "--username", USER]
    subprocess.run(["dropdb", *at, "--if-exists", DATABASE], check=True)
    subprocess.run(["createdb", *at, DATABASE], check=True)
    with tempfile.TemporaryDirectory() as state:
        os.environ.update(
            ACCORD_MODE="local", ACCORD_STATE_DIR=state, DJANGO_SETTINGS_MODULE="config.settings",
            DATABASE_URL=f"postgresql://{USER}@{HOST}:{PORT}/{DATABASE}",
        )  # fmt: skip
        os.environ.pop("REDIS_URL", None)
        import django

        django.setup()
        fill()
    dump = subprocess.run(
        ["pg_dump", *at, "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=50", DATABASE],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    # Lines that only psql understands and comments go, so that any client can run the file.
    kept = [line for line in dump.stdout.splitlines() if line and not line.startswith(("\\", "--"))]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    subprocess.run(["dropdb", *at, DATABASE], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
