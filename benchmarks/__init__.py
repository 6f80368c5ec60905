"""Benchmarks behind the figures in the documents, each against its peer in the same run."""
