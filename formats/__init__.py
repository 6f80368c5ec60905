"""Contracts between the pipeline's nodes: one file per format, reader and writer together."""
