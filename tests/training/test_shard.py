"""Work shared among processes."""

import argparse

import pytest

from training.shard import shard


def test_shards_share_all_work_once() -> None:
    shares = [list(range(10)[shard(f"{k}/3")]) for k in range(3)]
    assert sorted(k for share in shares for k in share) == list(range(10))
    assert range(5)[shard("0/1")] == range(5)


@pytest.mark.parametrize("text", ["2/2", "-1/2", "1", "a/b", "0/0", ""])
def test_other_shards_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"K/N with K from 0 to N - 1"):
        shard(text)
