"""What is learned: features, network, training and export."""
