"""Compiles the pipeline for Vertex by TFX's own command line.

`tfx pipeline compile --engine=vertex` loads this file, without arguments: the configuration's
path is in `HIGGS_CONFIG`. It writes `pipeline.json` into the folder it is started in.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Started as a script, Python looks for modules in this very folder first.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]

import os

from kubeflow.cloud_targets import VertexTarget
from kubeflow.compiler import compile_pipeline
from pipeline.config import ConfigError, load_config

CONFIG_VARIABLE = "HIGGS_CONFIG"


def main() -> None:
    """Compiles the configuration that the environment names."""
    config_file = os.environ.get(CONFIG_VARIABLE)
    if config_file is None:
        sys.exit(f"{CONFIG_VARIABLE} is not set; it names the configuration, configs/vertex.yaml")
    try:
        target = VertexTarget(load_config(config_file))
        compile_pipeline(target, Path.cwd() / "pipeline.json")
    except ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
