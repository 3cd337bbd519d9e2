"""The torch converter: network, weights, streaming."""
