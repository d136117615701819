"""Files of the trial data turned into Accord's records (docs/records.md), one module a family of files.

    python -m bench.adapters NAME --data ../shared/data --out FILE

A module's adapters are generators of records that say of every row they leave out why.
"""
