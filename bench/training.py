"""Accord's learning beside TRL's: SFT, reward model and PPO, one model folder, one set of rows, the same tokens.

    python bench/training.py --data ../shared/data                  all of it, about twenty minutes on two cores
    python bench/training.py --data DIR --write                     and writes docs/training_speed.md
    python bench/training.py --data DIR --only sft --pairs 2        a part of it

Each side runs in a process of its own and the two take turns. The peers' environments are made under .cache/peers
(--peers DIR elsewhere) with pip; none is a dependency. Where both sides have a loss of the first step on one batch, it
is compared before any speed is. The exit status is 1 where a goal is not reached.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.duels import peer_python  # noqa: E402
from bench.reporting import Figure, machine, versions, write_json  # noqa: E402
from bench.training_contests import CONTESTS, Place, Result  # noqa: E402
from bench.training_models import Shape, make_models  # noqa: E402
from bench.training_report import broken_goals, figures, page, peak_gflops  # noqa: E402
from bench.training_runs import demonstrations  # noqa: E402

PAGE = ROOT / "docs" / "training_speed.md"
SHOWN = ("torch", "transformers")
FILES = ("demos_dolly", "demos_oasst", "demos_self_instruct", "pairs_hh_harmless")
ENVIRONMENTS = {"sft": "trl", "reward": "trl", "ppo": "trl_ppo"}


def main() -> int:
    options = read_arguments()
    shape = Shape()
    results: list[Result] = []
    peaks = [peak_gflops()]
    peers = {name: peer_python(name, folder=options.peers) for name in {ENVIRONMENTS[stage] for stage in options.only}}
    with tempfile.TemporaryDirectory(prefix="accord-bench-") as temporary:
        folder = options.keep or Path(temporary)
        models = make_models(folder / "models", shape, demonstrations(options.data))
        place = Place(options.data, folder, models, peers, options.pairs)
        for stage in options.only:
            for contest in CONTESTS[stage]:
                results.append(contest.hold(place))
                peaks.append(peak_gflops())
                print(summary(results[-1]), flush=True)
    where = f"{machine()}; {versions(*SHOWN)}"
    text = page(where, results, shape=shape, gflops=median(peaks), pairs=options.pairs)
    print(f"\n{text}")
    if options.write:
        PAGE.write_text(text + "\n", encoding="utf-8")
    if options.json:
        told: dict[str, Figure] = figures(results)
        write_json(options.json, told)
    broken = broken_goals(results)
    for sentence in broken:
        print(f"not reached: {sentence}", file=sys.stderr)
    return 1 if broken else 0


def summary(result: Result) -> str:
    ratios = "; ".join(f"{median(found):.2f} x {name}" for name, found in result.duel.ratios.items())
    return f"{result.name}: {result.duel.ours.rate:,.2f} {result.unit} a second; {ratios}"


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the trial data")
    parser.add_argument("--only", nargs="+", choices=list(CONTESTS), default=list(CONTESTS), help="these stages")
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="turns of each side in each contest")
    parser.add_argument("--peers", type=Path, default=ROOT / ".cache" / "peers", metavar="DIR", help="environments")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures under plain names")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep models, runs and logs in this new folder")
    options = parser.parse_args(arguments)
    missing = [name for name in FILES if not (options.data / f"{name}.jsonl.gz").is_file()]
    if missing:
        parser.error(f"--data {options.data} lacks {missing[0]}.jsonl.gz; expected the folder of the trial data")
    if options.pairs < 1:
        parser.error(f"--pairs is {options.pairs}; expected 1 or more")
    if options.write and (set(options.only) != set(CONTESTS) or options.pairs < 5):
        parser.error("--write is of all stages with at least 5 pairs; leave --only out")
    if options.keep and options.keep.exists():
        parser.error(f"--keep {options.keep} exists already; name a new folder")
    return options


if __name__ == "__main__":
    sys.exit(main())
