"""CountingEvaluator: TFMA's evaluation, trusted only if it saw every event."""
