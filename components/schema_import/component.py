"""SchemaImport, the node: the reviewed schema, carried by the graph itself."""

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Schema

SCHEMA_FILE_NAME = "schema.pbtxt"


@component
def SchemaImport(  # noqa: N802 (a node is named as TFX names nodes)
    content: Parameter[str],
    schema: OutputArtifact[Schema],
) -> None:
    """Writes a schema's text, as ImportSchemaGen copies a schema's file.

    A file's path means something only on the machine that has it, and the cache would pass
    over an edit under the same path. The content goes wherever the graph goes.
    """
    with fileio.open(f"{schema.uri}/{SCHEMA_FILE_NAME}", "w") as file:
        file.write(content)
