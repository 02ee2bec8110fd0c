"""Constants of the probability bank."""

ROWS = 64
SCALE_MIN = 0.11
SCALE_MAX = 256.0
