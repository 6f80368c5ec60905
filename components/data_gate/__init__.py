"""DataGate: stops the run if the data must not be trained on."""
