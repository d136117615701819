"""The rehearsal: a village small enough to learn in a minute, with simulated labelers, to watch the whole loop once.

Everything here is a pure function of a seed and of records; nothing touches Django or the database, and of the
learning only the contract is imported. All names, facts and texts are invented, and everything simulated says so.
"""
