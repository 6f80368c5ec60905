"""HistogramGen: histograms of every feature by class, in one pass over the Examples."""
