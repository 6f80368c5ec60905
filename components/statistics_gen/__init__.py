"""ColumnarStatisticsGen: TFDV's statistics, read by the row group."""
