"""CountingEvaluator: TFMA's evaluation over arrays of events, with counts checked."""
