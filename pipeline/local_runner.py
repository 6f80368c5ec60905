"""Runs the pipeline on this machine, for `higgs run` and for TFX's own command line.

`tfx pipeline create --engine=local` loads this file, and `tfx run create` starts it without
arguments: the environment variable `HIGGS_CONFIG` holds the path of the configuration.
"""

import os
import sys
from importlib import resources
from pathlib import Path

from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from formats.errors import DataRefusedError
from formats.names import SAVED_MODEL_FILE
from formats.owned_folders import remove_owned
from pipeline import metadata_store
from pipeline.config import Config, ConfigError, load_config
from pipeline.graph import create_pipeline
from pipeline.local_root import RootBusyError, exclusive_use, resolve
from pipeline.run_recording import recorded

CONFIG_VARIABLE = "HIGGS_CONFIG"


def run(config: Config) -> None:
    """Runs every node that is not cached.

    Args:
        config: a resolved configuration; the caller holds its root exclusively.
    """
    metadata = sqlite_metadata_connection_config(config.metadata_path)
    _forget_lost_pushes(config)
    with recorded(config):
        LocalDagRunner().run(create_pipeline(config, metadata=metadata))


def _forget_lost_pushes(config: Config) -> None:
    """Lets a model that is missing from its serving folder be pushed again.

    TFX takes a push from the cache if the artifact's own folder exists, and does not look at the
    destination.
    """
    for uri, push in metadata_store.pushed_models(config.metadata_path):
        if not (Path(push.destination) / SAVED_MODEL_FILE).exists():
            remove_owned(uri, config.artifacts_root)


def main() -> None:
    """Runs the configuration named by the environment, or the demo's."""
    demo = str(resources.files("configs") / "demo.yaml")
    try:
        config = resolve(load_config(os.environ.get(CONFIG_VARIABLE, demo)))
        with exclusive_use(Path(config.root)):
            run(config)
    except (ConfigError, RootBusyError, DataRefusedError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
