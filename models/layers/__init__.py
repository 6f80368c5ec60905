"""Keras layers and metrics; each file states what it gains over Keras, and when to delete it."""
