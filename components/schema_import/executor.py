"""Executor of SchemaImport."""

from tfx.dsl.io import fileio
from tfx.types import Artifact

from formats.names import SCHEMA_FILE


def write_schema(content: str, schema: Artifact) -> None:
    """Writes the schema's text to ``schema.pbtxt``."""
    with fileio.open(f"{schema.uri}/{SCHEMA_FILE}", "w") as file:
        file.write(content)
