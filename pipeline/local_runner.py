"""Runs the pipeline on this machine, for `higgs run` and for TFX's own command line.

`tfx pipeline create --engine=local` loads this file, and `tfx run create` starts it without
arguments: the environment variable `HIGGS_CONFIG` holds the path of the configuration.
"""

import os
import sys
from importlib import resources
from pathlib import Path

from tfx.orchestration.metadata import sqlite_metadata_connection_config

from components.pusher.publication import exclusive_push, raise_last_version
from formats.errors import UserError, printable
from formats.push_directory import last_used_version
from pipeline.beam_options import stage_no_tfx
from pipeline.cache_keys import portable_cache_keys
from pipeline.config import CONFIG_VARIABLE, Config
from pipeline.graph import create_pipeline
from pipeline.metadata_check import is_missing
from pipeline.metadata_store import open_store, pushed_models
from pipeline.root_use import load_for_run, used_by_run
from pipeline.run_recording import recorded
from pipeline.shard_digests import local_content_key
from pipeline.verified_runner import VerifiedRunner


def run(config: Config) -> None:
    """Runs every node that is not cached.

    Args:
        config: a resolved configuration; the caller holds its root exclusively.

    Raises:
        DataRefusedError: a shard cannot be read, or a node refuses the data.
        MetadataError: the metadata file is missing beside artifacts, or was deleted or replaced
            during the run.
    """
    is_missing(Path(config.root))  # it was there before TFX was imported
    runner = VerifiedRunner(config.root, config.metadata_path)
    metadata = sqlite_metadata_connection_config(config.metadata_path)
    keep_versions(config)
    stage_no_tfx()
    with portable_cache_keys(config.root), recorded(config):
        runner.run(
            create_pipeline(config, metadata=metadata, content_key=local_content_key(config))
        )


def keep_versions(config: Config) -> None:
    """Keeps versions that were ever recorded from reuse, even if the push directory was emptied."""
    pushes = pushed_models(open_store(config.metadata_path))
    versions = [int(push.version) for _, push in pushes if push.version.isdecimal()]
    if versions and max(versions) > last_used_version(config.push_directory):
        with exclusive_push(config.push_directory):
            raise_last_version(config.push_directory, max(versions))


def main() -> None:
    """Runs the configuration named by the environment, or the demo's."""
    demo = str(resources.files("configs") / "demo.yaml")
    try:
        config = load_for_run(os.environ.get(CONFIG_VARIABLE, demo))
        with used_by_run(Path(config.root)):
            run(config)
    except UserError as error:
        sys.exit(printable(f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main()
