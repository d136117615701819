"""Other programs, each in an environment of its own, and what both sides of a comparison share."""
