"""Reports: what the judgments of a project say of the people who made them. Gathered from the tables as arrays once,
reckoned by labeling/agreement and labeling/evaluating; pages and JSON show the same report."""
