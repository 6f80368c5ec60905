"""Runs the pipeline on this machine: `higgs run`, and TFX's own command line.

`tfx pipeline create --engine=local` loads this file, and `tfx run create`
starts it, without arguments: the configuration's path is in `HIGGS_CONFIG`.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Started as a script, Python looks for `pipeline` in this very folder first and
    # would take pipeline.py, the graph, for the package.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]

import os
import shutil
from importlib import resources

from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from formats.errors import DataRefusedError
from pipeline import metadata_store
from pipeline.config import Config, ConfigError, load_config
from pipeline.graph import create_pipeline
from pipeline.local_root import RootBusyError, settle, sole_use
from pipeline.run_recording import recorded

CONFIG_VARIABLE = "HIGGS_CONFIG"


def run(config: Config) -> None:
    """Runs every node that is not cached.

    Args:
      config: a settled configuration, whose root the caller has for itself.
    """
    metadata = sqlite_metadata_connection_config(config.metadata_path)
    _forget_lost_pushes(config.metadata_path)
    with recorded(config):
        LocalDagRunner().run(create_pipeline(config, metadata=metadata))


def _forget_lost_pushes(metadata_path: str) -> None:
    """Lets a model that is gone from its serving folder be pushed again.

    TFX takes a push from the cache as long as the artifact's own folder is there,
    and does not look where the model was pushed to.
    """
    for push in metadata_store.pushed_models(metadata_path):
        destination = Path(str(push.properties["pushed_destination"]))
        if not (destination / "saved_model.pb").exists():
            shutil.rmtree(push.uri, ignore_errors=True)


def main() -> None:
    """Runs the configuration that the environment names, or the demo's."""
    demo = str(resources.files("configs") / "demo.yaml")
    try:
        config = settle(load_config(os.environ.get(CONFIG_VARIABLE, demo)))
        with sole_use(Path(config.root)):
            run(config)
    except (ConfigError, RootBusyError, DataRefusedError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
