"""Executor of SchemaImport."""

from tfx.types import Artifact
from tfx.utils import io_utils

from formats.names import SCHEMA_FILE


def write_schema(content: str, schema: Artifact) -> None:
    """Writes the schema's text to ``schema.pbtxt``."""
    io_utils.write_string_file(f"{schema.uri}/{SCHEMA_FILE}", content)
