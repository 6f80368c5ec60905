"""SchemaImport: the component."""

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Schema

from components.schema_import import executor


@component
def SchemaImport(  # noqa: N802 (named as TFX names nodes)
    content: Parameter[str], schema: OutputArtifact[Schema]
) -> None:
    """Writes a schema given as text; TFX's ImportSchemaGen would copy a file.

    The path of a file is valid on one machine only, and the cache would not notice an edit of
    the file. The text is part of the graph.

    Component ``outputs`` contains:

    - ``schema``: ``standard_artifacts.Schema``.

    Example:
    ```python
    importer = SchemaImport(content=Path("schema.pbtxt").read_text())
    ```
    """
    executor.write_schema(content, schema)
