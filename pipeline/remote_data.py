"""Data in an object store: whether it can be read here, and what identifies its content."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

from formats.published.shards import is_shard
from pipeline.config import ConfigError
from pipeline.local_data import LAYOUTS

_REQUESTS = 16
"""Number of objects whose status is requested at a time."""


def check_file_systems(uri: str) -> None:
    """Checks that TensorFlow and Beam, which both read the shards, know the scheme of a URI.

    Imports both, which takes seconds; opens no connection.

    Raises:
        ConfigError: one of them does not.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    from apache_beam.io.filesystems import FileSystems

    scheme = uri.partition("://")[0]
    missing = []
    if scheme not in tf.io.gfile.get_registered_schemes():
        missing.append("TensorFlow")
    try:
        FileSystems.get_filesystem(uri)
    except ValueError:
        missing.append("Beam")
    if missing:
        raise ConfigError(
            f"data_root: {' and '.join(missing)} cannot read {scheme}:// here ({uri}); install the "
            "file system's package, such as tensorflow-io and apache-beam[aws] for s3://, or copy "
            "the shards to a local folder"
        )


def stored_content_key(data_root: str, layout: str) -> str:
    """Computes a key of the shards in an object store from their sizes and times of change.

    A store sets the time itself whenever an object is written, so that copies do not preserve it.

    Args:
        data_root: URI of the data set.
        layout: a key of ``LAYOUTS``.

    Returns:
        The key; it differs from those of `formats.content_key`, which ingestion verifies.

    Raises:
        ConfigError: the store cannot be reached, or does not list the folders.
    """
    import tensorflow as tf

    gfile = tf.io.gfile
    try:
        paths = [
            f"{folder}/{name}"
            for folder in (
                f"{data_root.rstrip('/')}/{part}".rstrip("/") for part in LAYOUTS[layout]
            )
            for name in sorted(gfile.listdir(folder))
            if is_shard(name)
        ]
        with ThreadPoolExecutor(_REQUESTS) as pool:
            states = list(pool.map(gfile.stat, paths))
    except tf.errors.OpError as error:
        raise ConfigError(
            f"data_root: cannot list {data_root} ({error.message.splitlines()[0]}); check the name "
            "of the bucket, the credentials and the network, or copy the shards to a local folder"
        ) from error
    lines = (
        f"{state.length} {state.mtime_nsec} {path!r}\n"
        for path, state in zip(paths, states, strict=True)
    )
    return "store:" + hashlib.sha256("".join(lines).encode()).hexdigest()
