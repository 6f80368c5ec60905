"""Intake of tables: any common file format to events in the published layout."""
