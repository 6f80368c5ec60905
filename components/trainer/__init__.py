"""CountingTrainer: TFX's Trainer, which is also told the number of ingested events."""
