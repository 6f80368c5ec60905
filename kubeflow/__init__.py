"""Where it runs in the cloud: compiling and submitting the pipeline."""
