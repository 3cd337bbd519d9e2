"""The sound that comes in and goes out, anywhere: what every door lets through."""

# Slowest and fastest stream, in Hz: telephone, and the fastest sound cards.
MIN_RATE, MAX_RATE = 8_000, 192_000
MAX_CHANNELS = 8
