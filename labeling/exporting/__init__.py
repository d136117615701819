"""Records go out: chosen, laid out, read in one consistent look at the database, and written in a format."""
