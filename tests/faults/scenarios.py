"""What is done to it, fault by fault. Each takes a world and answers how the job ended; what has to hold is checked."""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from tests.faults.servers import wait_for
from tests.faults.world import EVERY, LEASE_SECONDS, World, listing, settle_for, stage_is_gone
from tests.training.workers import ROOT, free_port
from training import jobs, local_site
from training.models import Job
from training.run_folders import run_folder
from training.sweeping import ring_again

Scenario = Callable[[World], str]
SHIFT_SECONDS = 120


def trainer_killed(world: World) -> str:
    job = world.launch()
    with world.worker():
        os.kill(world.at_work(job)["pid"], signal.SIGKILL)
        return world.check(job, attempts=2)


def supervisor_killed(world: World) -> str:
    job = world.launch()
    with world.worker() as worker:
        status = world.at_work(job)
        worker.kill()
        worker.wait()
    stage_is_gone(status)
    with world.worker():
        return world.check(job, attempts=2)


def both_killed(world: World) -> str:
    job = world.launch()
    with world.worker() as worker:
        status = world.at_work(job)
        os.kill(status["pid"], signal.SIGSTOP)  # so that it cannot even say goodbye
        worker.kill()
        os.kill(status["pid"], signal.SIGKILL)
        worker.wait()
    with world.worker():
        return world.check(job, attempts=2)


def web_killed(world: World) -> str:
    """While somebody looks at its pages over and over."""
    port = free_port()
    job = world.launch()
    answers: list[int] = []

    def look(over: threading.Event) -> None:
        while not over.wait(0.1):
            with contextlib.suppress(OSError, http.client.HTTPException):
                asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                asked.request("GET", "/health/live")
                answers.append(asked.getresponse().status)
                asked.close()

    over = threading.Event()
    looking = threading.Thread(target=look, args=(over,))
    with world.worker():
        with world.process(local_site.web_command("127.0.0.1", port)) as web:
            looking.start()
            world.at_work(job)
            wait_for(lambda: 200 in answers, seconds=120, what="the web server")
            for child in _children_of(web.pid):
                os.kill(child, signal.SIGKILL)
            web.kill()
            web.wait()
        answers.clear()
        with world.process(local_site.web_command("127.0.0.1", port)):
            wait_for(lambda: 200 in answers, seconds=120, what="the web server, started again")
            over.set()
            looking.join()
            return f"{world.check(job, attempts=1)}; the pages answer again"


def _children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def stopped_past_its_lease(world: World) -> str:
    """The worker and its stage sleep; another worker does the job; then they wake up."""
    job = world.launch()
    with world.worker() as sleeper:
        status = world.at_work(job)
        os.kill(sleeper.pid, signal.SIGSTOP)
        os.kill(status["pid"], signal.SIGSTOP)
        with world.worker():
            said = world.check(job, attempts=2)
        before, row = listing(run_folder(job), but="log/attempt-1/"), Job.objects.filter(pk=job.pk).values().get()
        os.kill(sleeper.pid, signal.SIGCONT)
        os.kill(status["pid"], signal.SIGCONT)
        stage_is_gone(status)
        settle_for(3)
        # Its own log takes its last words, "attempt 2 owns this run"; everything else belongs to the attempt after it.
        after = listing(run_folder(job), but="log/attempt-1/")
        assert after == before, f"the stale attempt wrote {sorted(after.items() ^ before.items())[:6]}"
        assert Job.objects.filter(pk=job.pk).values().get() == row, "the stale attempt wrote into the row"
    return f"{said}; woken up, the stale attempt wrote nothing"


def postgres_restarted(world: World) -> str:
    job = world.launch()
    with world.worker():
        world.at_work(job)
        world.postgres.stop(at_once=True)
        settle_for(2)
        world.postgres.start()
        return world.check(job)


@contextlib.contextmanager
def celery(world: World) -> Iterator[None]:
    """A Celery worker, and the ringing of this process, at the world's Redis."""
    from config.celery import app

    command = [
        sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-Q", "cpu", "--concurrency", "1",
        "--prefetch-multiplier", "1", "-l", "info", "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    before, settings.REDIS_URL = settings.REDIS_URL, world.redis.url
    app.conf.broker_url = app.conf.broker_write_url = app.conf.broker_read_url = world.redis.url
    app._pool = None
    app.amqp._producer_pool = None
    try:
        with world.process(command, REDIS_URL=world.redis.url):
            yield
    finally:
        settings.REDIS_URL = before


def _tend(job: Job) -> None:
    """What beat does every half minute, for a job that waits for more than one."""
    Job.objects.filter(pk=job.pk, state="queued").update(created_at=Now() - timedelta(minutes=2))
    ring_again()


def redis_emptied(world: World) -> str:
    """With the message of the job in it, and once more while the job runs."""
    settings.REDIS_URL = ""
    job = world.launch()  # its ring went into a Redis that is empty now
    with celery(world):
        world.redis.kill()
        world.redis.start()
        wait_for(lambda: _rung(world, job), seconds=60, what="the job to be taken after the sweep rang")
        world.at_work(job)
        world.redis.kill()
        world.redis.start()
        return world.check(job, attempts=1)


def _rung(world: World, job: Job) -> bool:
    _tend(job)
    settle_for(1)
    found = world.now(job)
    return found is not None and found.state != "queued"


def doorbell_rung_three_times(world: World) -> str:
    with celery(world):
        job = world.launch()
        for _ in range(2):
            jobs._ring_now(job.pk, job.queue)
        said = world.check(job, attempts=1)
        settle_for(2)
        logs = [path.name for path in (run_folder(job).root / "log").iterdir()]
        assert logs == ["attempt-1"], logs
    return said


def disk_full(world: World) -> str:
    """A disk of its own of a few megabytes, filled up between two checkpoints; room is made, and the job resumed."""
    mount = world.folder / "small"
    mount.mkdir()
    before = settings.RUNS_DIR
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(mount)], check=True)
    try:
        settings.RUNS_DIR = mount
        job = world.launch()
        filler = mount / "filler"
        with world.worker():
            world.at_work(job)
            with contextlib.suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(b"0" * 65536)
                    file.flush()
            failed = world.wait(job, "failed")
            assert failed.error is not None
            assert failed.error["code"] == "cannot_write", failed.error
            from training.rlhf.checkpoints import newest_good

            kept = newest_good(run_folder(job))
            assert kept is not None
            assert kept.step % EVERY == 0
            filler.unlink()
            jobs.resume(failed)
            said = world.check(job, attempts=2)
    finally:
        settings.RUNS_DIR = before
        subprocess.run(["umount", "-l", str(mount)], check=True)
    return f"failed as “cannot write” with its checkpoint of step {kept.step}; room made and resumed: {said}"


def checkpoint_cut(world: World) -> str:
    """Paused; then the newest checkpoint loses half of a file."""
    job = world.launch()
    with world.worker():
        world.at_work(job)
        jobs.ask_pause(job)
        paused = world.wait(job, "paused")
        newest = run_folder(job).checkpoint(paused.checkpoint_step or 0)
        weights = newest / "model" / "model.safetensors"
        content = weights.read_bytes()
        weights.unlink()  # it may be a hard link
        weights.write_bytes(content[: len(content) // 2])
        jobs.resume(paused)
        said = world.check(job, attempts=2)
    damaged = [line for line in run_folder(job).events.read_text().splitlines() if "checkpoint_damaged" in line]
    assert damaged, "nobody noticed"
    return f"{said}; the cut one of step {paused.checkpoint_step} was passed over and noted"


def two_workers_at_once(world: World) -> str:
    job = world.launch()
    with world.worker(), world.worker():
        return world.check(job, attempts=1)


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { const char *s = getenv("CLOCK_SHIFT"); return s ? atol(s) : 0; }
int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int answer = real(which, now);
  if (!answer && which == CLOCK_REALTIME) now->tv_sec += shift();
  return answer;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  now->tv_sec = at.tv_sec;
  now->tv_usec = at.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *where) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  if (where) *where = at.tv_sec;
  return at.tv_sec;
}
"""


def clocks_off(world: World) -> str:
    """One worker is two minutes ahead, one two minutes behind; neither takes from the other."""
    library = world.folder / "clock.so"
    source = world.folder / "clock.c"
    source.write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    ahead = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(SHIFT_SECONDS)}
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"], env=world.environment(**ahead), check=True,
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    import time

    assert SHIFT_SECONDS - 30 < float(told.stdout) - time.time() < SHIFT_SECONDS + 30, "the clock was not shifted"
    job = world.launch()
    with world.worker(**ahead), world.worker(**ahead | {"CLOCK_SHIFT": str(-SHIFT_SECONDS)}):
        return world.check(job, attempts=1)


SCENARIOS: dict[str, Scenario] = {
    "kill −9 of the trainer": trainer_killed,
    "kill −9 of the supervisor": supervisor_killed,
    "kill −9 of both": both_killed,
    "kill −9 of the web process": web_killed,
    f"SIGSTOP of a worker and its stage past the lease ({LEASE_SECONDS} s), then SIGCONT": stopped_past_its_lease,
    "Redis killed and emptied, before the job is taken and while it runs; the doorbell is lost": redis_emptied,
    "the doorbell rung three times": doorbell_rung_three_times,
    "PostgreSQL killed and restarted": postgres_restarted,
    "the disk full at a checkpoint": disk_full,
    "a checkpoint cut short": checkpoint_cut,
    "two workers claim at once": two_workers_at_once,
    "one worker’s clock two minutes ahead, another’s two minutes behind": clocks_off,
}


def hindrance(scenario: Scenario) -> str:
    """Why it cannot be run here; empty where it can."""
    if scenario is disk_full and os.getuid() != 0:
        return "only root may mount a small disk"
    if scenario is clocks_off and shutil.which("cc") is None:
        return "no C compiler for the shifted clock"
    if scenario in (redis_emptied, doorbell_rung_three_times) and shutil.which("redis-server") is None:
        return "no redis-server"
    return ""
