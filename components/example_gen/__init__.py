"""CollisionExampleGen: ingests published TFRecord shards as columnar Examples."""
