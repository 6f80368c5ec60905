"""Requirements of ML Metadata on its database that SQLite does not verify.

A flipped byte can leave a file that SQLite accepts. ML Metadata then ends the process when it reads
a text where it expects a number, and fails with a stack trace where a table is missing.
"""

import sqlite3

TABLES = (
    "Type",
    "TypeProperty",
    "ParentType",
    "Artifact",
    "ArtifactProperty",
    "Execution",
    "ExecutionProperty",
    "Event",
    "EventPath",
    "Context",
    "ContextProperty",
    "ParentContext",
    "Association",
    "Attribution",
    "MLMDEnv",
)


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
    connection.create_function("is_utf8", 1, _is_utf8, deterministic=True)
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


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
