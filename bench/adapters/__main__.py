"""python -m bench.adapters NAME… --data FOLDER --out FILE: rows of the trial data as records, and how many of them.

Every record is read back by labeling.records before it is written, so a file that comes out can be imported.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.adapters import dolly, fgrlhf, hh, oasst, pandalm, rankme, self_instruct, tulu
from bench.adapters.rows import Adapter, Source
from labeling.record_fields import BadRecord
from labeling.records import read_record

ADAPTERS: dict[str, Adapter] = {
    adapter.__name__: adapter
    for adapter in (
        self_instruct.demos_self_instruct,
        self_instruct.candidates_self_instruct,
        oasst.demos_oasst,
        oasst.rankings_oasst,
        oasst.prompts_oasst,
        dolly.demos_dolly,
        fgrlhf.rankings_fgrlhf,
        fgrlhf.rankings_fgrlhf_questions,
        pandalm.pairs_pandalm,
        tulu.pairs_tulu,
        hh.pairs_hh_harmless,
        rankme.ratings_rankme_likert,
    )
}


def adapt(name: str, *, data: Path, out: Path) -> tuple[int, Source]:
    """Writes the records and answers how many, with what was read and left out."""
    source = Source(data)
    written = 0
    part = out.with_name(f"{out.name}.part")
    with part.open("wb") as file:
        for members in ADAPTERS[name](source):
            # Ranks stay as the source has them: the import makes them dense and counts them.
            try:
                read_record(members)
            except BadRecord as error:
                raise ValueError(f"{name} makes of row {members.get('id')!r} no record: {error}") from error
            file.write(json.dumps(members, ensure_ascii=False).encode() + b"\n")
            written += 1
    part.replace(out)
    return written, source


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.adapters", description=__doc__)
    parser.add_argument("name", choices=sorted(ADAPTERS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        parser.error(f"--data {options.data} is no folder; expected the folder of the trial data")
    written, source = adapt(options.name, data=options.data, out=options.out)
    print(f"{options.name}: {source.rows_in:,} rows in, {written:,} records out to {options.out}")
    for reason, count in source.left_out.most_common():
        print(f"  left out: {count:,}, {reason}")
    for what, count in source.notes.most_common():
        print(f"  note: {count:,}, {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
