"""Files of other tools, read as records: Open-Assistant trees, Anthropic's HH, TRL, ShareGPT, CSV."""
