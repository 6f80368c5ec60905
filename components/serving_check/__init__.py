"""ServingCheck: verifies that the export scores as the trained model did."""
