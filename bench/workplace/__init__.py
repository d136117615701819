"""What bench/labeling.py is made of: a database, the served application, labelers at work, and a recount."""
