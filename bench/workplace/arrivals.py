"""Visitors of a site who come whether or not those before them were served: a process of its own.

    python -m bench.workplace.arrivals < orders

Orders and answers are lines of JSON. The first order says who they are (`Crowd`); {"begin": true} lets every labeler
take a task; each later one says how many come a second and for how long (`Step`), and the answer tells what they met;
{"end": true} is answered with every submission that the site acknowledged. Times begin when a visitor comes, not when
the request goes out: where the site is slow, who comes later has waited too. A labeler does one thing at a time; where
all of them are busy, who comes waits for one.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any

from bench.workplace.database import RESPONSES, new_key
from bench.workplace.labelers import Person, WentWrong, _token

SHARES = {
    "draft": 40, "submission": 25, "task read again": 6, "task asked for": 4, "stylesheet": 5, "console": 10,
    "API": 10,
}  # fmt: skip
"""Of a hundred who come."""
LABELERS_DO = ("draft", "submission", "task read again", "task asked for")
LATE_SECONDS = 90.0
"""How long those who came are waited for, after the last one."""
AGAIN_AFTER_SECONDS = 0.5


@dataclass(frozen=True)
class Crowd:
    """people: session and CSRF token of each labeler. researchers: sessions. pages, reads: of the console and the API.
    new_prompts: where programs post prompts. patience: seconds for which a submission is sent again."""

    port: int
    slug: str
    take_next: str
    people: Sequence[tuple[str, str]]
    researchers: Sequence[str]
    tokens: Sequence[str]
    pages: Sequence[str]
    stylesheet: str
    reads: Sequence[str]
    new_prompts: str
    patience: float = 90.0


@dataclass(frozen=True)
class Step:
    rate: float
    seconds: float
    seed: str


@dataclass
class Met:
    """What visitors met in one step. Times in seconds by kind; wrong: answers and ends that nobody should get."""

    times: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SHARES})
    wrong: Counter[str] = field(default_factory=Counter)
    limited: int = 0
    waiting: int = 0
    most_waiting: int = 0

    def told(self) -> dict[str, Any]:
        every = [seconds for times in self.times.values() for seconds in times]
        return {
            "answered": len(every),
            "all": _spread(every),
            "kinds": {name: [len(times), *_spread(times)] for name, times in self.times.items()},
            "wrong": dict(self.wrong),
            "limited": self.limited,
            "most_waiting": self.most_waiting,
        }


def _spread(seconds: Sequence[float]) -> list[float | None]:
    """Median, 95th percentile and most, in milliseconds."""
    if len(seconds) < 2:
        return [None, None, None]
    cuts = quantiles(seconds, n=20)
    return [round(value * 1000, 1) for value in (cuts[9], cuts[18], max(seconds))]


class Visitors:
    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.people = [Person(session=session, csrf=csrf) for session, csrf in crowd.people]
        self.idle: asyncio.Queue[Person] = asyncio.Queue()
        for person in self.people:
            self.idle.put_nowait(person)
        self.researchers = self._pool(crowd.researchers)
        self.programs = self._pool(crowd.tokens)

    def _pool(self, names: Sequence[str]) -> asyncio.Queue[Person]:
        pool: asyncio.Queue[Person] = asyncio.Queue()
        for name in names:
            pool.put_nowait(Person(session=name, csrf="c" * 32))
        return pool

    async def begin(self) -> dict[str, Any]:
        """Every labeler takes a task and opens it, a few at a time."""
        met, few = Met(), asyncio.Semaphore(4)

        async def one(person: Person) -> None:
            async with few:
                await self._hold(person, random.Random(), met)

        await asyncio.gather(*(one(person) for person in self.people))
        return met.told()

    async def come(self, step: Step) -> dict[str, Any]:
        """Everybody of a step, and those who are still waiting at its end."""
        draw = random.Random(step.seed)
        met, at_it = Met(), set[asyncio.Task[None]]()
        kinds, shares = list(SHARES), list(SHARES.values())
        retried, cpu = sum(person.retried for person in self.people), time.process_time()
        began = due = time.perf_counter()
        while (due := due + draw.expovariate(step.rate)) < began + step.seconds:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(
                self._visit(draw.choices(kinds, shares)[0], due, random.Random(draw.random()), met)
            )
            at_it.add(task)
            task.add_done_callback(at_it.discard)
            met.most_waiting = max(met.most_waiting, len(at_it))
        waiting, ended = len(at_it), time.perf_counter()
        if at_it:
            await asyncio.wait(set(at_it), timeout=LATE_SECONDS)
        for task in set(at_it):
            met.wrong["no answer in time"] += 1
            task.cancel()
        late = time.perf_counter() - ended
        return met.told() | {
            "waiting_at_end": waiting,
            "late_seconds": round(late, 2),
            "seconds": round(ended - began, 2),
            "sent_again": sum(person.retried for person in self.people) - retried,
            "cpu_seconds": time.process_time() - cpu,
            "acknowledged": sum(len(person.acknowledged) for person in self.people),
        }

    async def _visit(self, kind: str, due: float, draw: random.Random, met: Met) -> None:
        pool = {"console": self.researchers, "API": self.programs}.get(kind, self.idle)
        visitor = await pool.get()
        try:
            await self._acts()[kind](visitor, draw, met)
            met.times[kind].append(time.perf_counter() - due)
        except (WentWrong, TimeoutError) as wrong:
            met.wrong[f"{kind}: {str(wrong)[:120]}"] += 1
        finally:
            if not visitor.out_of_work:
                pool.put_nowait(visitor)

    def _acts(self) -> dict[str, Callable[[Person, random.Random, Met], Awaitable[None]]]:
        return {
            "draft": self._draft,
            "submission": self._submit,
            "task read again": self._read,
            "task asked for": self._claim,
            "stylesheet": self._stylesheet,
            "console": self._console,
            "API": self._program,
        }

    async def _draft(self, person: Person, draw: random.Random, met: Met) -> None:
        await self._hold(person, draw, met)
        fields = person.judgments(draw, "") | {"note": "half a thought"}
        sent = {"lease_token": person.token, "fields": {name: fields[name] for name in fields if "-" in name}}
        await self._until(person, met, "POST", f"{person.held}draft/", sent=sent)

    async def _submit(self, person: Person, draw: random.Random, met: Met) -> None:
        await self._hold(person, draw, met)
        key, held = new_key(), person.held
        body = await self._until(person, met, "POST", held, form=person.judgments(draw, key))
        told = json.loads(body)
        person.acknowledged[key] = held
        person.held = told["next"]
        if "/tasks/" in person.held:
            person.token = _token(told["page"])
        else:
            person.out_of_work = True

    async def _read(self, person: Person, draw: random.Random, met: Met) -> None:
        await self._hold(person, draw, met)
        person.token = _token((await self._until(person, met, "GET", person.held)).decode())

    async def _claim(self, person: Person, draw: random.Random, met: Met) -> None:
        await self._until(person, met, "POST", self.crowd.take_next, form={}, good=302)
        person.held = person.moved_to

    async def _hold(self, person: Person, draw: random.Random, met: Met) -> None:
        """Takes a task where none is in hand, as who begins the day does."""
        if not person.held:
            await self._claim(person, draw, met)
        if not person.token:
            person.token = _token((await self._until(person, met, "GET", person.held)).decode())

    async def _stylesheet(self, person: Person, draw: random.Random, met: Met) -> None:
        await self._until(person, met, "GET", self.crowd.stylesheet)

    async def _console(self, person: Person, draw: random.Random, met: Met) -> None:
        await self._until(person, met, "GET", draw.choice(self.crowd.pages))

    async def _program(self, person: Person, draw: random.Random, met: Met) -> None:
        token = person.session
        if draw.random() < 0.8:
            await self._until(person, met, "GET", draw.choice(self.crowd.reads), token=token)
            return
        text = " ".join(str(draw.random()) for _ in range(RESPONSES))
        line = {"id": new_key(), "messages": [{"role": "user", "content": f"What is {text}?"}], "use_case": "open_qa"}
        await self._until(person, met, "POST", self.crowd.new_prompts, sent={"prompts": [line]}, token=token)

    async def _until(self, person: Person, met: Met, method: str, path: str, *, good: int = 200, **body: Any) -> bytes:
        """The body of an answer as it should be. Told to come later (429, 503) or failed (500), it is sent again, the
        same, as long as patience lasts; each of these is counted."""
        until = time.perf_counter() + self.crowd.patience
        while True:
            async with asyncio.timeout(self.crowd.patience + LATE_SECONDS):
                status, answer = await person.ask(self.crowd.port, method, path, **body)
            if status == good:
                return answer
            if status == 429:
                met.limited += 1
            elif status >= 500:
                met.wrong[f"{method} answered {status}"] += 1
            if status < 429 or time.perf_counter() > until:
                raise WentWrong(f"{method} {path}: {status} {answer[:200]!r}")
            await asyncio.sleep(AGAIN_AFTER_SECONDS)


async def serve_orders() -> None:
    loop = asyncio.get_running_loop()
    visitors = Visitors(Crowd(**json.loads(sys.stdin.readline())))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        if "end" in order:
            keys = {key: address for person in visitors.people for key, address in person.acknowledged.items()}
            answer(keys)
            return
        answer(await (visitors.begin() if "begin" in order else visitors.come(Step(**order))))


def answer(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def order(step: Crowd | Step) -> str:
    return json.dumps(asdict(step)) + "\n"


if __name__ == "__main__":
    asyncio.run(serve_orders())
