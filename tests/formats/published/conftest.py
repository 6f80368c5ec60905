from wire_records import wire  # noqa: F401 (a fixture)
