"""A page's stylesheet is one answer, kept for good, and says the same as its files."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from config.static_files import HashedFiles
from labeling.scripts import modules_of
from labeling.sheets import SHEETS, sheet

STATIC = Path(settings.BASE_DIR) / "static"


@pytest.mark.parametrize("name", sorted(SHEETS))
def test_it_is_its_files_in_their_order(name: str) -> None:
    css = sheet(name).content.decode()
    assert "@import" not in css
    assert "/*" not in css
    assert css.index("@layer reset, base, components, screens, utilities;") < css.index("@layer base {")
    assert css.count("{") == css.count("}")
    assert css.index(".masthead {") < css.index(".table")


def test_every_component_is_in_the_sheet_of_every_page() -> None:
    imported = (STATIC / "css" / "accord.css").read_text()
    for path in (STATIC / "css" / "components").glob("*.css"):
        assert f"components/{path.name}" in imported, f"{path.name} reaches no page"


def test_its_addresses_are_those_that_the_site_serves() -> None:
    faces = re.findall(r'url\("([^"]+)"\)', sheet("accord").content.decode())
    assert faces
    assert {face for face in faces if not face.startswith("/static/vendor/charis-sil/")} == set()


@pytest.mark.parametrize(("accepts", "packed"), [("gzip, br", True), ("br", False)])
def test_it_is_kept_for_good_and_packed_where_the_browser_can(client: Client, accepts: str, packed: bool) -> None:
    answer = client.get(sheet("work").address, headers={"accept-encoding": accepts})
    assert answer["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in answer["Cache-Control"]
    assert "Accept-Encoding" in answer["Vary"]
    assert answer.has_header("Content-Encoding") == packed
    assert (gzip.decompress(answer.content) if packed else answer.content) == sheet("work").content


def test_under_the_mark_of_another_content_it_is_not_kept(client: Client) -> None:
    answer = client.get("/sheets/work.0123456789ab.css")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-cache"


@pytest.mark.django_db
def test_there_is_no_other(client: Client) -> None:
    assert client.get("/sheets/tokens.0123456789ab.css").status_code == 404


def test_a_module_is_asked_for_with_all_that_it_imports() -> None:
    needed = modules_of("rank-board")
    assert needed[0] == "js/rank-board.js"
    assert len(needed) == len(set(needed))
    for path in needed:
        for other in re.findall(r'from "\./([\w-]+\.js)"', (STATIC / path).read_text()):
            assert f"js/{other}" in needed, f"{path} imports {other}, which the page does not ask for"


def test_every_script_imports_in_the_form_that_is_looked_for() -> None:
    for path in (STATIC / "js").glob("*.js"):
        for line in re.findall(r"^\s*import\b.*", path.read_text(), re.MULTILINE):
            assert re.fullmatch(r'import .* from "\./[\w-]+\.js";', line), f"{path.name}: {line}"


def test_collected_modules_import_each_other_under_names_that_a_browser_keeps(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    for path in (STATIC / "js").glob("*.js"):
        (tmp_path / "js" / path.name).write_bytes(path.read_bytes())
    storage = HashedFiles(location=tmp_path, base_url="/static/")
    names = [f"js/{path.name}" for path in (STATIC / "js").glob("*.js")]
    list(storage.post_process({name: (storage, name) for name in names}))
    done = storage.hashed_files
    board = (tmp_path / done["js/rank-board.js"]).read_text()
    imported = re.findall(r'from "\./([^"]+)"', board)
    assert len(imported) > 10
    assert {f"js/{name}" for name in imported} <= set(done.values())
