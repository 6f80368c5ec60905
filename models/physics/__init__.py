"""Collision physics as TensorFlow operations: symmetries, momenta, masses and hypotheses."""
