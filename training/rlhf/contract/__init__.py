"""The seam between whoever launches a stage and the stage itself: config, records and the files of a run folder.

Standard library only, so that the web application may import it without loading torch. docs/run_folder.md describes
the folder in words.
"""
