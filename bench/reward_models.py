"""Reward models on five sets of real preferences: held-out accuracy beside length and people, honest where it is low.

    python bench/reward_models.py --data ../shared/data --work /tmp/reward-models --write docs/reward_models.md

A small Llama is pretrained on public-domain books; each set trains a reward model from it, three times with a third of
the prompts held out, so that every prompt is tested once by a model that never saw it nor one nearly equal. Settings
are chosen on prompts that are in no test. Some of the texts are offensive; none is printed.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.reporting import write_json  # noqa: E402
from bench.reward_data import SETS, read_sets, read_text  # noqa: E402
from bench.reward_page import Results, flat, page  # noqa: E402
from bench.reward_runs import Runs  # noqa: E402
from bench.reward_settings import SIZES  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    options = read_arguments(arguments)
    size = SIZES[options.size]
    runs = Runs(
        work=options.work, size=size, sets=read_sets(options.data, most=size.rows),
        texts=read_text(options.data, most=size.documents), at_once=options.at_once,
    )  # fmt: skip
    results = Results.of(runs)
    text = page(results)
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    if options.json:
        write_json(options.json, flat(results))
    return 0


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the trial data")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs; done ones are not made again")
    parser.add_argument("--size", choices=SIZES, default="full", help="small: some seconds, to see that it works")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="runs that go on at once, a thread each")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page, as docs/reward_models.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures under plain names")
    options = parser.parse_args(arguments)
    missing = [name for name in (*SETS, "pretrain_text") if not (options.data / f"{name}.jsonl.gz").is_file()]
    if missing:
        parser.error(f"--data {options.data} lacks {missing[0]}.jsonl.gz; expected the folder of the trial data")
    if options.at_once < 1:
        parser.error(f"--at-once is {options.at_once}; expected at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
