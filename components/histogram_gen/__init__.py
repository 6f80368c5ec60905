"""HistogramGen: every feature counted by class, in one pass over the Examples."""
