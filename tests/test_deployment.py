"""What starts Accord on a host of its own is true of the code: settings, queues, commands, files."""

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.contrib.staticfiles import finders

from config.celery import app
from labeling.scripts import SCRIPTS, script
from labeling.sheets import SHEETS, sheet
from training.models import Job

ROOT = Path(__file__).resolve().parent.parent
OURS = ("migrate", "web", "cpu-worker", "beat", "files-worker", "webhooks-worker", "gpu-worker")
IN_ENV_FILE = {
    "ACCORD_SECRET_KEY": "a1!b2?c3" * 7,
    "ACCORD_ALLOWED_HOSTS": "accord.example.org",
    "POSTGRES_PASSWORD": "sesame",
}
LEFT_AT_THEIR_DEFAULTS = {
    "ACCORD_API_REQUESTS_PER_MINUTE", "ACCORD_BEHIND_PROXY", "ACCORD_DEBUG", "ACCORD_EMAIL_BACKEND",
    "ACCORD_EXPORTS_DIR", "ACCORD_HSTS_SECONDS", "ACCORD_IMPORTS_DIR", "ACCORD_JOB_LEASE_SECONDS",
    "ACCORD_JOB_STALL_SECONDS",
    "ACCORD_JOB_STOP_SECONDS", "ACCORD_LOG_FORMAT", "ACCORD_LOG_LEVEL", "ACCORD_MODELS_DIR", "ACCORD_RUNS_DIR",
    "ACCORD_SNAPSHOTS_DIR", "ACCORD_SSL_REDIRECT", "ACCORD_TRUSTED_ORIGINS",
}  # fmt: skip


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def filled_in(value: str, given: dict[str, str]) -> str:
    """As compose does: ${NAME:-default}, ${NAME:?what is missing}."""

    def fill(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if operator == ":?":
            return given[name]
        return given.get(name) or rest

    return re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", fill, value)


def environment(services: dict[str, Any], name: str, **given: str) -> dict[str, str]:
    said: dict[str, str] = services[name]["environment"]
    return {variable: filled_in(value, IN_ENV_FILE | given) for variable, value in said.items()}


def in_dockerfile() -> set[str]:
    return set(re.findall(r"\b([A-Z_]+)=\S", (ROOT / "Dockerfile").read_text()))


@pytest.mark.parametrize(
    "given", [{}, {"ACCORD_EMAIL_HOST": "mail.example.org", "ACCORD_EMAIL_FROM": "accord@example.org"}]
)
def test_the_settings_start_with_what_compose_gives_them(
    services: dict[str, Any], given: dict[str, str], tmp_path: Path
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCORD_", "DJANGO_"))}
    for name in ("web", "beat"):
        asked = environment(services, name, **given) | {"ACCORD_STATE_DIR": str(tmp_path)}
        started = subprocess.run(
            [sys.executable, "-c", "from config import settings as s; print(s.EMAIL_BACKEND, s.DEFAULT_FROM_EMAIL)"],
            cwd=ROOT, env={**kept, **asked}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert started.returncode == 0, started.stderr
        assert started.stdout.split() == (
            ["django.core.mail.backends.smtp.EmailBackend", "accord@example.org"]
            if given
            else ["django.core.mail.backends.console.EmailBackend", "accord@localhost"]
        )


def test_the_check_of_django_for_a_site_on_the_internet_finds_nothing(services: dict[str, Any], tmp_path: Path) -> None:
    asked = environment(services, "web") | {"ACCORD_STATE_DIR": str(tmp_path)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCORD_", "DJANGO_"))}
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"],
        cwd=ROOT, env={**kept, **asked}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout + checked.stderr


def test_compose_is_what_its_schema_says() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_no_service_is_root_writes_to_its_root_or_takes_all_of_the_host(services: dict[str, Any]) -> None:
    [user] = re.findall(r"^USER (\d+)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for name, service in services.items():
        assert service.get("user", user).split(":")[0] != "0", name
        assert "user" in service or name in OURS, name
        assert service["read_only"] is True, name
        assert service["tmpfs"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service["deploy"]["resources"]["limits"]) == {"memory", "pids"}, name
        assert "healthcheck" in service or name == "migrate", name
        assert "privileged" not in service, name


def test_only_the_proxy_is_reached_from_outside(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
    assert networks["database"]["internal"] is True
    assert {name: services[name]["networks"] for name in ("proxy", "postgres", "redis")} == {
        "proxy": ["front"], "postgres": ["database"], "redis": ["database"]
    }  # fmt: skip


def test_what_has_to_outlive_a_container_is_on_a_volume(services: dict[str, Any]) -> None:
    assert services["redis"]["command"][1:3] == ["--appendonly", "yes"]
    assert services["redis"]["volumes"] == ["redis:/data"]
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert all(services[name]["volumes"] == ["state:/var/lib/accord"] for name in OURS)


def test_every_setting_is_given_or_left_at_its_default_on_purpose(services: dict[str, Any]) -> None:
    read = set(re.findall(r"read_\w+\(\s*\"([A-Z_]+)\"", (ROOT / "config" / "settings.py").read_text()))
    given = set(services["web"]["environment"]) | in_dockerfile()
    assert read - given == LEFT_AT_THEIR_DEFAULTS
    assert all(set(services[name]["environment"]) == set(services["web"]["environment"]) for name in OURS)


def test_every_queue_has_one_kind_of_worker(services: dict[str, Any]) -> None:
    commands = [service.get("command", []) for service in services.values()]
    listened = sorted(command[command.index("-Q") + 1] for command in commands if "-Q" in command)
    routed = [route["queue"] for route in settings.CELERY_TASK_ROUTES.values()]
    assert listened == sorted({*Job.Queue.values, *routed})


def test_compose_names_nothing_twice() -> None:
    """The reader of YAML here takes the last one; compose itself refuses the file."""

    def named_twice(node: yaml.Node) -> list[str]:
        if isinstance(node, yaml.SequenceNode):
            return [name for each in node.value for name in named_twice(each)]
        if not isinstance(node, yaml.MappingNode):
            return []
        names = [key.value for key, _ in node.value if key.value != "<<"]
        inner = [name for _, value in node.value for name in named_twice(value)]
        return [name for name in {*names} if names.count(name) > 1] + inner

    assert named_twice(yaml.compose((ROOT / "docker-compose.yml").read_text())) == []


def test_tasks_that_are_routed_or_scheduled_exist() -> None:
    app.loader.import_default_modules()
    named = [*settings.CELERY_TASK_ROUTES, *(entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values())]
    assert set(named) <= set(app.tasks)


def test_one_process_alone_tells_the_time(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "-B" in service.get("command", [])] == ["beat"]


def test_the_image_leaves_out_nothing_that_runs() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for needed in ("config", "labeling", "training", "templates", "static", "manage.py", "requirements.lock"):
        assert (ROOT / needed).exists()
        assert not any(fnmatch.fnmatch(needed, pattern) for pattern in ignored)


def test_every_static_file_that_a_page_names_is_there() -> None:
    """In production a page that names another one fails."""
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    named = set(re.findall(r"{% static ['\"]([^'\"{]+)['\"]", pages))
    assert len(named) > 10
    assert [name for name in sorted(named) if finders.find(name) is None] == []
    sheets, scripts = (set(re.findall(rf"{{% {tag} \"([^\"]+)\" %}}", pages)) for tag in ("sheet", "modules"))
    assert sheets == SHEETS
    assert all(sheet(name).content for name in sheets)
    assert scripts == SCRIPTS
    assert all(script(name).content for name in scripts)


def test_the_readme_starts_the_same_processes(services: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text()
    by_hand = re.findall(r"^    \.venv/bin/celery .*? -Q (\w+)", readme, flags=re.MULTILINE)
    in_compose = [said[said.index("-Q") + 1] for one in services.values() if "-Q" in (said := one.get("command", []))]
    assert sorted(by_hand) == sorted(in_compose)
