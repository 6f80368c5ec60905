"""How a model is judged: metrics, slices, thresholds, and the extractors that feed them."""
