"""Figures of the report: from its data to Matplotlib figures, and from these to inline SVG."""
