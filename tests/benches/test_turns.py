"""How contenders of a bench take turns, and what their times come to."""

import numpy as np
import pytest

from benches.streaming import Timed
from benches.turns import COLD_BLOCKS, TURN_MS, WARM_UP_TURNS, Contender, take_turns


def contender(name: str, heard: list[object], **more: object) -> Contender:
    def step(block: np.ndarray) -> np.ndarray:
        heard.append((name, float(block[0])))
        return 2 * block

    blocks = np.arange(7, dtype=np.float32)[:, None]
    return Contender("group", name, step, blocks, 100, **more)


def test_they_take_turns_and_the_first_blocks_of_a_turn_are_not_counted() -> None:
    heard: list[tuple[str, float]] = []
    both = [contender(name, heard) for name in "ab"]
    take_turns(both, 1.0)
    a_turn = COLD_BLOCKS + TURN_MS // 100
    turns = WARM_UP_TURNS + 1000 // TURN_MS
    assert [name for name, _ in heard] == (["a"] * a_turn + ["b"] * a_turn) * turns
    assert [block for name, block in heard if name == "b"] == [k % 7 for k in range(a_turn * turns)]
    assert all(of.figures()["blocks"] == 1000 // 100 for of in both)


def test_a_share_is_of_one_stream_and_the_median_turn() -> None:
    ours = contender("ours", [])
    other = contender("other", [], against=ours, streams=4)
    ours.turns = [Timed([], np.full(5, 0.01), cpu_s) for cpu_s in (0.05, 0.06, 9.0)]
    other.turns = [Timed([], np.array([0.02, 0.03, 0.02, 0.02, 0.2]), 0.4)]
    assert ours.share == pytest.approx(0.06 / 0.5)
    figures = other.figures()
    assert other.share == pytest.approx(0.4 / 0.5 / 4)
    assert figures["cpu_share"] == pytest.approx(other.share)
    assert figures["times_ours"] == pytest.approx(0.2 / 0.12)
    assert figures["rtf"] == pytest.approx(0.29 / 0.5 / 4)
    assert figures["blocks_over_deadline"] == 1  # of 100 ms
    assert figures["block_ms_max"] == pytest.approx(200)


def test_another_answer_than_torchs_is_refused() -> None:
    doubled = 2 * np.arange(4, dtype=np.float32)[:, None]
    one = contender("one", [])
    one.compare(doubled, 1e-4)
    assert one.deviation == 0
    with pytest.raises(RuntimeError, match=r"must answer within 0.0001 of torch, got 0.01"):
        contender("one", []).compare(doubled + np.float32(0.01), 1e-4)


def test_times_of_what_is_not_a_number_are_refused() -> None:
    one = Contender("group", "one", lambda block: block * np.nan, np.ones((3, 1)), 100)
    with pytest.raises(RuntimeError, match="NaN"):
        one.turn()


def test_times_of_what_answers_nothing_are_refused() -> None:
    mute = Contender("group", "mute", np.zeros_like, np.ones((3, 1)), 100)
    with pytest.raises(RuntimeError, match="group, mute, 100 ms must answer sound"):
        take_turns([mute], 0.5)
