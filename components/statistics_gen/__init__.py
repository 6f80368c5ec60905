"""ColumnarStatisticsGen: TFDV's statistics, read one row group at a time."""
