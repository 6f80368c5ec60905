"""Training of network and forest on the devices of the machine."""
