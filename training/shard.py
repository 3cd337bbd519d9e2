"""Work shared among processes."""

import argparse


def shard(text: str) -> slice:
    """``K/N``, as an option says it: of any list every N-th thing, from the K-th on."""
    try:
        first, step = (int(part) for part in text.split("/"))
    except ValueError:
        first, step = 0, 0
    if not 0 <= first < step:
        raise argparse.ArgumentTypeError(f"a shard is K/N with K from 0 to N - 1, not {text!r}")
    return slice(first, None, step)
