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

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from tfx import v1 as tfx

from pipeline.config import Config, ConfigError, is_remote, load_config
from pipeline.pipeline import SCHEMA_FILE, create_pipeline

CONFIG_VARIABLE = "HIGGS_CONFIG"


class RootBusyError(RuntimeError):
    """Another run works on the same root."""


def settle(config: Config) -> Config:
    """The configuration with absolute local paths and the data's layout looked up."""
    changes = {
        key: path if is_remote(path) else str(Path(path).absolute())
        for key, path in (("data_root", config.data_root), ("root", config.root))
    }
    layout = config.ingestion.layout
    if layout == "auto":
        layout = "folders" if tfx.dsl.io.fileio.isdir(f"{config.data_root}/training") else "single"
    directory = config.push.directory
    if directory and not is_remote(directory):
        directory = str(Path(directory).absolute())
    return config.model_copy(
        update={
            **changes,
            "ingestion": config.ingestion.model_copy(update={"layout": layout}),
            "push": config.push.model_copy(update={"directory": directory}),
        }
    )


def check_data(config: Config) -> None:
    """Looks for shards before any work.

    Raises:
      ConfigError: ``data_root`` holds none where the layout wants them.
    """
    folders = ("training", "validation") if config.ingestion.layout == "folders" else ("",)
    for folder in folders:
        place = f"{config.data_root}/{folder}".rstrip("/")
        if not tfx.dsl.io.fileio.glob(f"{place}/*.tfrec*"):
            raise ConfigError(
                f"data_root: no TFRecord shard (*.tfrecord) in {place}; data_root must hold "
                "training/ and validation/ with shards, or shards themselves. Make some with "
                f"`higgs generate --events 200000 --out {config.data_root}` or `higgs convert`"
            )


def run(config: Config) -> None:
    """Runs every node that is not cached.

    Args:
      config: a settled configuration, its root on a local disk.

    Raises:
      RootBusyError: another run holds the root.
    """
    root = Path(config.root)
    root.mkdir(parents=True, exist_ok=True)
    with _sole_use(root):
        tfx.orchestration.LocalDagRunner().run(
            create_pipeline(
                config,
                schema_file=_versioned_schema(root),
                metadata=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                    config.metadata_path
                ),
            )
        )


@contextmanager
def _sole_use(root: Path) -> Iterator[None]:
    with (root / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RootBusyError(
                f"{root} is in use by another run (process {lock.read().strip() or 'unknown'}); "
                "wait for it to end, or give this run another root"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _versioned_schema(root: Path) -> str:
    """A copy of the reviewed schema whose path changes with its content.

    ImportSchemaGen is cached by the path alone, so an edited schema under the
    same path would be passed over.
    """
    digest = hashlib.sha256(SCHEMA_FILE.read_bytes()).hexdigest()[:12]
    copy = root / "schema" / digest / SCHEMA_FILE.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SCHEMA_FILE, copy)
    return str(copy)


def _default_config() -> str:
    return str(resources.files("configs") / "demo.yaml")


if __name__ == "__main__":
    run(settle(load_config(os.environ.get(CONFIG_VARIABLE, _default_config()))))
