"""Names that lead somewhere on the disk: none does, whichever door it comes by."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest

from labeling.models import Import, Project, ProjectToken, Role, User
from labeling.scopes import scopes_for
from tests.security.served import Attacker, Served
from training.models import Checkpoint, Round

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.threat(5)]
API = "/api/v1/projects/helpdesk/"
OUT = ("../secret", "..", ".", "/etc", "secret/../../secret", "..\\secret", "%2e%2e/secret", "secret\x00.txt", "link",
       "hub:../../secret", "hub:/etc/x", "file:///etc", "~root", "a//b", " ../secret")  # fmt: skip


@pytest.fixture
def api(served: Served, project: Project, owner: User) -> Attacker:
    return served.with_token(ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER)))


@pytest.fixture
def secret(served: Served) -> Path:
    """A folder like a model's beside the folder of models, and a link into it from outside of what is offered."""
    models = Path(served.environment["ACCORD_MODELS_DIR"])
    models.mkdir(exist_ok=True)
    folder = models.parent / "secret"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text('{"secret": "kept to ourselves"}')
    (folder / "model.safetensors").write_bytes(b"\0" * 8)
    return folder


@pytest.mark.parametrize("name", OUT)
def test_no_base_model_is_read_from_elsewhere(api: Attacker, secret: Path, name: str) -> None:
    answer = api.send("POST", f"{API}rounds", {"base": name})
    assert answer.status in (400, 422), answer.text
    assert "kept to ourselves" not in answer.text
    assert not Round.objects.exists()
    assert not Checkpoint.objects.exists()


@pytest.mark.parametrize(
    "name", ["../../../../tmp/x.jsonl", "/etc/passwd", "..\\..\\x.csv", "a\x00b", "x" * 300, "‮gpj.exe"]
)
def test_the_name_of_an_upload_leads_nowhere(served: Served, api: Attacker, name: str) -> None:
    imports = Path(served.environment["ACCORD_IMPORTS_DIR"]).resolve()
    more = {"Content-Type": "application/octet-stream"}
    answer = api.ask("POST", f"{API}imports?source=trl&file_name={quote(name)}", b'{"prompt": "One"}', more)
    if answer.status == 202:
        [made] = Import.objects.all()
        kept = (imports / made.path).resolve()
        assert kept.parent.parent == imports
        assert not set(kept.name) - set("0123456789abcdef")
        assert all(letter.isprintable() for letter in made.name)
    else:
        assert answer.status in (400, 422)
        assert not Import.objects.exists()


@pytest.mark.parametrize("root", ["/static/", "/scripts/", "/sheets/", "/sentences/", "/health/"])
@pytest.mark.parametrize(
    "rest",
    ["../config/settings.py", "..%2f..%2fconfig%2fsettings.py", "%2e%2e/%2e%2e/config/settings.py", "....//manage.py",
     "..%5c..%5cmanage.py", "%00", "/etc/passwd", "css/../../../config/settings.py"],
)  # fmt: skip
def test_no_address_of_a_file_leads_out_of_its_folder(served: Served, root: str, rest: str) -> None:
    answer = served.nobody().get(f"{root}{rest}")
    assert answer.status in (301, 302, 400, 404)
    assert b"SECRET_KEY" not in answer.body
    assert b"root:" not in answer.body


def test_an_export_whose_row_names_another_file_sends_none(served: Served, api: Attacker, project: Project) -> None:
    """Even a row that was written past every check."""
    from labeling.models import Export

    exports = Path(served.environment["ACCORD_EXPORTS_DIR"])
    exports.mkdir(exist_ok=True)
    outside = exports.parent / "outside.txt"
    outside.write_text("kept to ourselves")
    os.symlink(outside, exports / "link") if not (exports / "link").is_symlink() else None
    for path in ("../outside.txt", str(outside), "link"):
        made = Export.objects.create(
            project=project, kind="prompt", state="done", path=path, rows=1, size_bytes=17, sha256="a" * 64
        )
        answer = api.get(f"{API}exports/{made.uuid}/file")
        assert answer.status == 404
        assert "kept to ourselves" not in answer.text
