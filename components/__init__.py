"""The pipeline's own TFX nodes, each a thin component beside pure code."""
