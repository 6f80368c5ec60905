"""Data in an object store, as far as this environment can read it; nothing is connected to."""

from pipeline.config import ConfigError


def check_file_systems(uri: str) -> None:
    """Checks that TensorFlow and Beam, which both read the shards, know the scheme of a URI.

    Imports both, which takes seconds.

    Raises:
        ConfigError: one of them does not.
    """
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
