"""Report: what became of a run, as one self-contained HTML page."""
