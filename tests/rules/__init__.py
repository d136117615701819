"""Which test holds which rule of correctness, and the faults that were planted to see it fail.

`python -m tests.rules --write` makes docs/correctness.md from the marks; `make trial PART=broken_rules`
breaks every rule.
"""
