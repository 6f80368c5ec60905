"""Report: the outcome of a run, as one self-contained HTML page."""
