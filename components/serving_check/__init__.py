"""ServingCheck: proves that the export serves as it was trained."""
