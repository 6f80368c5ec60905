"""Baseline: the model in service, with which a candidate is compared."""
