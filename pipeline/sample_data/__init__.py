"""Events to run on: a toy Monte Carlo, UCI's CSV, and the published TFRecord layout."""
