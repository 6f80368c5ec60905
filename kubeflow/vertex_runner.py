"""Compiles the pipeline for Vertex AI with TFX's own command line.

`tfx pipeline compile --engine=vertex` loads this file without arguments, so the path of the
configuration comes from `HIGGS_CONFIG`. It writes `pipeline.json` into the working directory.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python searches a script's folder first; modules here could hide others of the same name.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]

import os

from kubeflow.cloud_targets import VertexTarget
from kubeflow.compiler import compile_pipeline
from pipeline.config import CONFIG_VARIABLE, ConfigError, load_config


def main() -> None:
    """Compiles the configuration that the environment variable names."""
    config_file = os.environ.get(CONFIG_VARIABLE)
    if config_file is None:
        sys.exit(f"{CONFIG_VARIABLE} is not set; give a configuration, such as configs/vertex.yaml")
    try:
        target = VertexTarget(load_config(config_file))
        compile_pipeline(target, Path.cwd() / "pipeline.json")
    except ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
