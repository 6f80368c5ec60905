"""Repairs the metadata after a failed commit: removes rows that refer to missing rows.

When a write fails, SQLite rolls back the transaction automatically. ML Metadata can miss that: its
other statements are then committed one by one, and only the final COMMIT fails. They refer to rows
that were rolled back. SQLite gives the missing ids again, so the next execution would inherit the
contexts of the failed one, and TFX would consider another node finished and skip it.
"""

import sqlite3

REFERENCES = (
    ("TypeProperty", "type_id", "Type"),
    ("ParentType", "type_id", "Type"),
    ("ParentType", "parent_type_id", "Type"),
    ("Artifact", "type_id", "Type"),
    ("Execution", "type_id", "Type"),
    ("Context", "type_id", "Type"),
    ("ArtifactProperty", "artifact_id", "Artifact"),
    ("ExecutionProperty", "execution_id", "Execution"),
    ("ContextProperty", "context_id", "Context"),
    ("ParentContext", "context_id", "Context"),
    ("ParentContext", "parent_context_id", "Context"),
    ("Association", "context_id", "Context"),
    ("Association", "execution_id", "Execution"),
    ("Attribution", "context_id", "Context"),
    ("Attribution", "artifact_id", "Artifact"),
    ("Event", "artifact_id", "Artifact"),
    ("Event", "execution_id", "Execution"),
    ("EventPath", "event_id", "Event"),
)
"""Tables with the columns that refer to the ids of others; a table comes after those it needs."""

# 4: FAILED; 1, 4, 6: the events of outputs.
_FAIL_WITHOUT_OUTPUT = """
UPDATE Execution SET last_known_state = 4 WHERE id IN (
    SELECT execution_id FROM Event
    WHERE type IN (1, 4, 6) AND artifact_id NOT IN (SELECT id FROM Artifact)
)
"""


def remove_dangling_rows(connection: sqlite3.Connection) -> int:
    """Removes rows that refer to missing rows; an execution that has lost an output has failed.

    Args:
        connection: of a metadata file, in a transaction, which the caller commits.

    Returns:
        The number of rows removed.
    """
    connection.execute(_FAIL_WITHOUT_OUTPUT)
    removed = 0
    for table, column, target in REFERENCES:
        rows = connection.execute(
            f"DELETE FROM {table} WHERE {column} NOT IN (SELECT id FROM {target})"  # noqa: S608
        )
        removed += rows.rowcount
    return removed
