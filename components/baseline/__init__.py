"""Baseline: the blessed model that a candidate is compared with."""
