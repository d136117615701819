"""Small typed readers of environment variables.

A bad value stops the start and names the variable, what it holds and what would do; nothing falls back in silence.
"""

import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PREPARE_NOTHING_ALONE = 1_000_000_000
"""How often psycopg must see a statement before it prepares it without being told to."""
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def read_text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def read_bool(name: str, *, default: bool) -> bool:
    raw = os.environ.get(name)
    if raw is None:
        return default
    value = raw.strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}; expected one of 1, true, yes, on, 0, false, no, off")


def read_int(name: str, *, default: int, at_least: int) -> int:
    """What is there and empty is not given: compose hands on every variable that it names."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {raw!r}; expected a whole number of at least {at_least}") from None
    if value < at_least:
        raise ImproperlyConfigured(f"{name} is {value}; expected a whole number of at least {at_least}")
    return value


def read_list(name: str, default: str = "") -> list[str]:
    """Comma separated, blanks dropped."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def read_networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Comma separated networks, like 10.2.0.0/16."""
    try:
        return [ipaddress.ip_network(item) for item in read_list(name)]
    except ValueError as wrong:
        raise ImproperlyConfigured(f"{name}: {wrong}; expected networks like 10.2.0.0/16,fd00:1::/64") from None


def read_path(name: str, default: Path) -> Path:
    raw = os.environ.get(name)
    return Path(raw).expanduser().resolve() if raw else default


def read_database(name: str, *, sqlite_path: Path, pooled: bool = False) -> dict[str, Any]:
    """A DATABASES entry from a URL: postgresql://user:password@host:port/name or sqlite:///file.

    Without the variable it is SQLite at sqlite_path. SQLite gets WAL and IMMEDIATE transactions: a transaction that
    reads first and writes later would otherwise fail with "database is locked" as soon as two labelers meet.
    pooled: PgBouncer stands in between and gives each transaction another connection. Then nothing may outlive a
    transaction: no statement is prepared, whoever asks for it, and no cursor is kept on the server between two.
    """
    raw = read_text(name)
    if not raw:
        return _sqlite(sqlite_path)
    url = urlsplit(raw)
    if url.scheme == "sqlite":
        path = unquote(url.path[1:] if url.path.startswith("//") else url.path.lstrip("/"))
        if not path:
            raise ImproperlyConfigured(
                f"{name} is {raw!r}; expected sqlite:///relative/file or sqlite:////absolute/file"
            )
        return _sqlite(Path(path))
    if url.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} begins with {url.scheme!r}; expected postgresql:// or sqlite:///")
    if not url.path.strip("/"):
        raise ImproperlyConfigured(f"{name} names no database; expected postgresql://user@host:5432/NAME")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooled,
        # Nothing is prepared that does not ask for it (labeling/prepared.py does); with None not even that.
        "OPTIONS": {"prepare_threshold": None if pooled else PREPARE_NOTHING_ALONE, **dict(parse_qsl(url.query))},
    }


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
