"""Cloud targets: compiles, submits and runs the pipeline on Vertex AI and Kubeflow Pipelines."""
