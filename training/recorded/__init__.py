"""Recorded rounds: a rehearsal that was run elsewhere, written to one file and loaded to be looked at."""
