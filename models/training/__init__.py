"""From events to a trained network and forest."""
