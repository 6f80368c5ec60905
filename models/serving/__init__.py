"""From a trained network and forest to the exported SavedModel."""
