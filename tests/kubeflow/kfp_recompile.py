"""Loads and recompiles a pipeline with the client of the environment that runs this file."""

import sys

from kfp import compiler, components

source, target = sys.argv[1:]
# Both parse the spec strictly: a field that the client does not know is an error.
pipeline = components.load_component_from_file(source)
compiler.Compiler().compile(pipeline, target)
