"""Where it runs in the cloud: compiling, submitting and starting the pipeline's nodes."""
