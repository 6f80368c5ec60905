"""PushGate: fails a run in the cloud that pushed no model."""
