"""Training of the network that halves frames for the rungs of streaming ladders."""
