"""Events to run on: a toy Monte Carlo, UCI's CSV, and a writer of the published layout."""
