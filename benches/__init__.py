"""The benchmark harness: quality, speed and latency of the whole path, as a user has it."""
