"""The learning: each stage is a file, run as `python -m training.rlhf.STAGE RUN_DIR`. No Django, no database."""
