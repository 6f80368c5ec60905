"""Physics as layers: symmetries, momenta, masses and hypotheses of a collision."""
