"""DataGate: stops the run when the data must not be learned from."""
