"""Keras layers of the network; each file states what the layer replaces and why."""
