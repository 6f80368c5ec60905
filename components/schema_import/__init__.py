"""SchemaImport: the reviewed schema as an artifact."""
