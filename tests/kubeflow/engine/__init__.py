"""Executes a compiled pipeline as Vertex AI and Kubeflow Pipelines do, on this machine.

`spec` reads the file, `dag` walks it and keeps artifacts and cache, `vertex` and `kubeflow` do
what each engine does around a container, `queries` are Vertex's resolvers, `conditions` its
triggers, and `processes` start the containers' commands.
"""
