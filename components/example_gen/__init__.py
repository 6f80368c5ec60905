"""Ingestion: published TFRecord shards in, columnar Examples out."""
