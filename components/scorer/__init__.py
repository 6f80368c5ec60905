"""Scorer: the scores of a model for every row of a set of files."""
