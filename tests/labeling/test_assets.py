"""A page's stylesheet is one answer, kept for good, and says the same as its files; so is its script."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from config.static_files import HashedFiles
from labeling import scripts
from labeling.scripts import SCRIPTS, NotUnderstood, script
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


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_holds_all_that_it_imports_once_and_before_it(name: str) -> None:
    js = script(name).content.decode()
    defined = re.findall(r"^const (module_\w+) = ", js, re.MULTILINE)
    assert len(defined) == len(set(defined))
    assert defined[-1] == f"module_{name.replace('-', '_')}"
    for one in set(re.findall(r"= (module_\w+);", js)):
        assert js.index(f"const {one} = ") < js.index(f"= {one};"), one
    assert not re.search(r"^\s*(import|export)\b", js, re.MULTILINE)
    for one in defined:
        source = (STATIC / "js" / f"{one.removeprefix('module_').replace('_', '-')}.js").read_text()
        source = re.sub(r"(?s)/\*\*.*?\*/", "", source)
        for line in source.splitlines():
            if not line.lstrip().startswith(("//", "import ", "export ")):
                assert line.strip() in js, (one, line)


def test_it_is_kept_as_a_sheet_is(client: Client) -> None:
    answer = client.get(script("rank-board").address)
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer["Cache-Control"]
    assert client.get("/scripts/rank-board.0123456789ab.js")["Cache-Control"] == "no-cache"


@pytest.mark.django_db
def test_there_is_no_other_script(client: Client) -> None:
    assert client.get("/scripts/words.0123456789ab.js").status_code == 404


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ('import { a } from "/static/js/other.js";', "import { a } from"),
        ("export default 3;", "export default 3;"),
        ("export { a };", "export { a };"),
        ("export let a = 1;", "export let a = 1;"),
        ('const a = import("./words.js");', "import("),
    ],
)
def test_what_is_not_put_together_is_refused(source: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "source_of", lambda name: f"{source}\n")
    with pytest.raises(NotUnderstood, match=re.escape(sentence)):
        script.__wrapped__("rank-board")


def test_a_name_that_the_other_module_does_not_export_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"rank-board": 'import { a, nope } from "./b.js";\n', "b": "export const a = 1;\n"}
    monkeypatch.setattr(scripts, "source_of", sources.__getitem__)
    with pytest.raises(NotUnderstood, match=r"rank-board\.js imports nope from \./b\.js, which does not export it"):
        script.__wrapped__("rank-board")


def test_modules_that_import_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"rank-board": 'import { a } from "./b.js";\n', "b": 'import { c } from "./rank-board.js";\n'}
    monkeypatch.setattr(scripts, "source_of", sources.__getitem__)
    with pytest.raises(NotUnderstood, match="rank-board imports b imports rank-board"):
        script.__wrapped__("rank-board")


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
