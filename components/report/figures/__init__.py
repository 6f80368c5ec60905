"""Figures of the report: Matplotlib figures from its data, and their inline SVG."""
