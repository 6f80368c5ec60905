"""What the pipeline's nodes exchange: one file per format, reader and writer together."""
