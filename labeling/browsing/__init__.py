"""Reading what people and machines made: prompts, responses, and tasks with all that was said of them."""
