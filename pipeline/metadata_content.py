"""Requirements of ML Metadata on its database that SQLite does not verify.

A flipped byte can leave a file that SQLite accepts. ML Metadata then ends the process when it reads
a text where it expects a number, and fails with a stack trace where a table is missing.

A failed commit can leave rows that refer to missing rows. When a write fails, SQLite rolls back the
transaction automatically. ML Metadata can miss that: its other statements are then committed one by
one, and only the final COMMIT fails. They refer to rows that were rolled back. SQLite gives the
missing ids again, so the next execution would inherit the contexts of the failed one, and TFX would
consider another node finished and skip it.
"""

import sqlite3

from formats.text import is_utf8

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

TABLES = (
    "MLMDEnv",
    *dict.fromkeys(name for table, _, target in REFERENCES for name in (target, table)),
)
"""All tables of ML Metadata."""

# 4: FAILED; 1, 4, 6: the events of outputs.
_FAIL_WITHOUT_OUTPUT = """
UPDATE Execution SET last_known_state = 4 WHERE id IN (
    SELECT execution_id FROM Event
    WHERE type IN (1, 4, 6) AND artifact_id NOT IN (SELECT id FROM Artifact)
)
"""


def table_names(connection: sqlite3.Connection) -> set[str]:
    """Returns the names of all tables and indexes."""
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def read_types(connection: sqlite3.Connection) -> set[tuple[str, int, int]]:
    """Returns the name, with a version, id and kind of each type, and of each ``TYPE.PROPERTY``."""
    return {
        *connection.execute(
            "SELECT name || ifnull(':' || version, ''), id, type_kind FROM Type "
            "UNION SELECT Type.name || '.' || property.name, id, data_type "
            "FROM TypeProperty AS property JOIN Type ON id = type_id"
        )
    }


def find_invalid_value(connection: sqlite3.Connection) -> str:
    """Finds a value of another type than its column has, or text that is not UTF-8.

    Args:
        connection: of a database with all `TABLES`.

    Returns:
        The table, the column and the row; empty if every value is valid.
    """
    connection.create_function("is_utf8", 1, is_utf8, deterministic=True)
    for table in TABLES:
        columns = connection.execute(f"PRAGMA table_info({table})")
        kinds = {name: _kind(name, kind) for _, name, kind, *_ in columns}
        cases = [f"WHEN {condition} THEN '{name}'" for name, (_, condition) in kinds.items()]
        query = f"SELECT rowid, CASE {' '.join(cases)} END AS bad FROM {table} WHERE bad NOTNULL"  # noqa: S608
        for row, column in connection.execute(f"{query} LIMIT 1"):
            return f"{table}.{column} in row {row} is not {kinds[column][0]}"
    return ""


def _kind(column: str, kind: str) -> tuple[str, str]:
    """Returns the type of a column's values, and the condition under which a value is invalid."""
    if kind == "TEXT" or "CHAR" in kind:
        valid = f"typeof({column}) = 'text' AND is_utf8(CAST({column} AS BLOB))"
        return "text", f"{column} NOTNULL AND NOT ({valid})"
    if kind == "BLOB":
        return "data", f"typeof({column}) NOT IN ('blob', 'null')"
    number = "real" if kind == "DOUBLE" else "integer"
    return "a number", f"typeof({column}) NOT IN ('{number}', 'null')"


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
