"""The published layout: TFRecord shards of HIGGS records."""
