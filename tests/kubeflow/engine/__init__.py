"""Local simulators of Vertex AI Pipelines and Kubeflow Pipelines for compiled files.

`spec` parses the file, `dag` runs its tasks and keeps artifacts and cache, `vertex` and `kubeflow`
do what each engine does around a container, `queries` implements Vertex's resolvers, `conditions`
its triggers, `processes` starts the containers' commands, and `clock` makes polling fast.
"""
