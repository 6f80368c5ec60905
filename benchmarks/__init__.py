"""Benchmarks for the figures in the documents; each runs together with its peer."""
