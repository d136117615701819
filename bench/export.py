"""How fast records go out and prompts come in, end to end over HTTP, on PostgreSQL.

    python bench/export.py                          # 250,000 rankings of four responses: a million judgments
    python bench/export.py --rankings 5000 --prompts 5000
    python bench/export.py --write                  # and writes docs/export_speed.md

Makes a database of its own on the server of DATABASE_URL and drops it afterwards, fills it with texts of the lengths
that real prompts and responses have, serves it with granian as in production, and reads with a plain HTTP client on
the same machine. Nobody else's rows are read or written.
"""

import argparse
import http.client
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psycopg  # noqa: E402

from bench.reporting import Figure, machine, table, versions, write_json  # noqa: E402

PORT = 18431
PAGE = ROOT / "docs" / "export_speed.md"
PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Read:
    """One answer, read to its end."""

    rows: int
    size_bytes: int
    seconds: float
    first_byte_seconds: float
    growth_bytes: int
    """Of the server's memory while it answered, over what it held when it was asked."""
    server_seconds: float
    database_seconds: float
    """Of a processor, that the server and the database took for it."""


# --- a database and a server of their own -----------------------------------------------------------------------------


@contextmanager
def database() -> Iterator[str]:
    """The address of an empty database that is dropped at the end."""
    address = os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    name = f"bench_export_{os.getpid()}"
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{address.rsplit('/', 1)[0]}/{name}"
    finally:
        with psycopg.connect(address, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def served(environment: dict[str, str]) -> Iterator[int]:
    """granian with one worker of eight threads; answers the process id of the worker."""
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(PORT)),
        *("--workers", "1", "--blocking-threads", "8", "--log-level", "error", "config.wsgi:application"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        wait_for_answer()
        yield worker_of(process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_for_answer() -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/health/live")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The server did not answer within two minutes.")


def worker_of(parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return max((int(child) for child in children), key=resident, default=parent)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def backends() -> list[int]:
    """PostgreSQL's processes that serve the bench's database to the web server; the server is the only client then."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f" bench_export_{os.getpid()} ".encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def processor_seconds(pid: int) -> float:
    """Of a process so far; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- reading ----------------------------------------------------------------------------------------------------------


def fetch(path: str, token: str, *, pid: int, keep: Path | None = None) -> Read:
    """keep: where the body goes; without it, it is counted and dropped."""
    before, most, over = resident(pid), [0], threading.Event()
    server_before, database = processor_seconds(pid), dict[int, float]()
    # A connection outlives a request, and its process has worked for the ones before.
    database_before = {backend: processor_seconds(backend) for backend in backends()}

    def watch() -> None:
        while not over.wait(0.05):
            most[0] = max(most[0], resident(pid))
            for backend in backends():
                spent = processor_seconds(backend) - database_before.get(backend, 0.0)
                database[backend] = max(database.get(backend, 0.0), spent)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=600)
    connection.request("GET", path, headers={"Authorization": f"Token {token}"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {answer.read(500)!r}")
    piece = answer.read1(PIECE_BYTES)
    first = time.perf_counter() - begun
    rows = size = 0
    file = keep.open("wb") if keep else None
    while piece:
        size += len(piece)
        rows += piece.count(b"\n")
        if file:
            file.write(piece)
        piece = answer.read1(PIECE_BYTES)
    seconds = time.perf_counter() - begun
    if file:
        file.close()
    over.set()
    watcher.join()
    used = processor_seconds(pid) - server_before
    return Read(rows, size, seconds, first, max(0, most[0] - before), used, sum(database.values()))


# --- the measurements -------------------------------------------------------------------------------------------------


FORMATS = {
    "JSON lines": "format=jsonl",
    "JSON lines, preference": "layout=preference",
    "JSON lines, zstd": "format=jsonl.zst",
    "Parquet": "format=parquet",
}
BASE = "/api/v1/projects/bench/records/comparisons"


def measure_exports(token: str, *, pid: int, folder: Path, formats: Sequence[str]) -> dict[str, Read]:
    """By name of the format. The first answers of a process load code; they are small and not counted."""
    for query in ("format=jsonl", "format=parquet"):
        fetch(f"{BASE}?{query}&campaign=warm", token, pid=pid)
    found = {}
    for name in formats:
        kept = folder / "export"
        read = fetch(f"{BASE}?{FORMATS[name]}", token, pid=pid, keep=None if name.endswith(("lines", "ce")) else kept)
        if kept.exists():
            read = replace(read, rows=rows_in(kept))
            kept.unlink()
        found[name] = read
        print(f"{name}: {read.rows:,} rows in {read.seconds:.1f} s", flush=True)
    whole = {read.rows for name, read in found.items() if name != "JSON lines, preference"}
    if len(whole) > 1:
        raise SystemExit(f"The formats hold different numbers of rows: {whole}")
    return found


def rows_in(path: Path) -> int:
    """Of a Parquet file, or of zstd lines."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.open("rb").read(4) == b"PAR1":
        return int(pq.read_metadata(path).num_rows)
    rows = 0
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as lines:
        while piece := lines.read(PIECE_BYTES):
            rows += bytes(piece).count(b"\n")
    return rows


def measure_import(number: int, folder: Path) -> tuple[float, float]:
    """Prompts a second, and a second of our own processor time: records checked, deduplicated, split and written."""
    from bench.export_rows import write_prompts
    from labeling.importing import import_file
    from labeling.models import Project

    path = folder / "prompts.jsonl"
    write_prompts(path, number)
    project = Project.objects.create(name="Import", slug="import")
    begun = time.perf_counter()
    spent = time.process_time()
    report = import_file(project, path, name="bench")
    seconds, spent = time.perf_counter() - begun, time.process_time() - spent
    if report.refused or report.new["prompts"] != number:
        raise SystemExit(f"{report.new['prompts']} of {number} prompts came in, {report.refused} were refused")
    return number / seconds, number / spent


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rankings", type=int, default=250_000, help="of four responses each")
    parser.add_argument("--prompts", type=int, default=100_000, help="to import")
    parser.add_argument("--only", action="append", choices=list(FORMATS), help="these formats; all if left out")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    asked = parser.parse_args()
    with database() as address, tempfile.TemporaryDirectory(prefix="bench-export-") as state:
        os.environ |= {"DATABASE_URL": address, "ACCORD_STATE_DIR": state, "ACCORD_MODE": "local"}
        os.environ |= {"ACCORD_SECRET_KEY": secrets.token_hex(32), "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ.pop("REDIS_URL", None)
        import django
        import django.db

        django.setup()
        from django.core.management import call_command

        from bench.export_rows import fill

        call_command("migrate", verbosity=0)
        begun = time.perf_counter()
        token = fill(rankings=asked.rankings)
        django.db.connection.close()
        print(f"{asked.rankings:,} rankings written in {time.perf_counter() - begun:.0f} s", flush=True)
        with served(dict(os.environ)) as pid:
            reads = measure_exports(token, pid=pid, folder=Path(state), formats=asked.only or list(FORMATS))
        prompts = measure_import(asked.prompts, Path(state))
    said = report(asked, reads, prompts)
    print(said)
    if asked.json:
        write_json(asked.json, figures(reads, prompts))
    if asked.write:
        PAGE.write_text(f"{HEAD}{said}\n", encoding="utf-8")
    return 0


# --- the report -------------------------------------------------------------------------------------------------------

HEAD = """# How fast records go out and in

Written by `python bench/export.py --write`; what is asked of it: comparisons at 40,000 rows a second or more (aim
100,000), the first byte within 200 ms, the server's memory growing by less than 64 MB for JSON lines and 200 MB for
Parquet, and 3,000 imported prompts a second or more (aim 10,000).

"""


def report(asked: argparse.Namespace, reads: dict[str, Read], prompts: tuple[float, float]) -> str:
    heads = ["comparisons as", "rows", "rows/s", "MB", "MB/s", "first byte, ms", "memory growth, MB"]
    heads += ["server, core s", "database, core s"]
    rows: list[list[Figure]] = [
        [
            name,
            read.rows,
            float(round(read.rows / read.seconds)),
            float(round(read.size_bytes / 1e6)),
            float(round(read.size_bytes / 1e6 / read.seconds)),
            float(round(read.first_byte_seconds * 1000)),
            float(round(read.growth_bytes / 2**20)),
            float(round(read.server_seconds, 1)),
            float(round(read.database_seconds, 1)),
        ]
        for name, read in reads.items()
    ]
    return "\n".join(
        [
            f"{machine()}; {versions('django', 'granian', 'psycopg', 'pyarrow')}; load average when it ended"
            f" {os.getloadavg()[0]:.1f}.",
            "",
            f"{asked.rankings:,} rankings of four responses, {4 * asked.rankings:,} judgments; server, database and"
            " client on this machine; the client's own work is counted in. Core seconds are what the processors spent"
            " on it: where others use them too, rows a second are fewer and these are the same.",
            "",
            table(heads, rows),
            "",
            f"Import: {prompts[0]:,.0f} prompts a second ({asked.prompts:,} records from a file); {prompts[1]:,.0f} a"
            " second of the importing process's own processor time.",
            "",
            missed(reads, prompts[0]),
        ]
    )


def missed(reads: dict[str, Read], prompts: float) -> str:
    """What was asked and not kept in this run, in a sentence."""
    found = [f"{name}: {read.rows / read.seconds:,.0f} rows/s" for name, read in reads.items()
             if read.rows / read.seconds < 40_000]  # fmt: skip
    found += [f"{name}: first byte after {read.first_byte_seconds * 1000:.0f} ms" for name, read in reads.items()
              if read.first_byte_seconds > 0.2]  # fmt: skip
    found += [f"{name}: {read.growth_bytes / 2**20:.0f} MB more" for name, read in reads.items()
              if read.growth_bytes > (200 if name == "Parquet" else 64) * 2**20]  # fmt: skip
    found += [f"import: {prompts:,.0f} prompts/s"] if prompts < 3000 else []
    return f"Not kept in this run: {'; '.join(found)}." if found else "All of it was kept in this run."


def figures(reads: dict[str, Read], prompts: tuple[float, float]) -> dict[str, Figure]:
    found: dict[str, Figure] = {"import_prompts_per_s": prompts[0], "import_prompts_per_core_s": prompts[1]}
    for name, read in reads.items():
        key = name.lower().replace(", ", "_").replace(" ", "_")
        found[f"{key}_rows_per_s"] = read.rows / read.seconds
        found[f"{key}_mb_per_s"] = read.size_bytes / 1e6 / read.seconds
        found[f"{key}_first_byte_ms"] = read.first_byte_seconds * 1000
        found[f"{key}_growth_mb"] = read.growth_bytes / 2**20
    return found


if __name__ == "__main__":
    sys.exit(main())
