"""CountingTrainer: TFX's Trainer, which also learns how many events there must be."""
