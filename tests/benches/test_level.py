"""The measures of the bench `level` see what they are to see."""

import numpy as np
import pytest

from benches import level, level_peers
from benches.level_peers import Array

RATE = 48_000


def tone(hz: float, seconds: float = 1.0, phase: float = 0.0) -> Array:
    time = np.arange(int(RATE * seconds)) / RATE
    return np.sin(2 * np.pi * hz * time + phase).astype(np.float32)


def test_a_peak_between_samples_is_seen() -> None:
    x = tone(12_000, phase=np.pi / 4) * np.hanning(RATE).astype(np.float32)
    assert 20 * np.log10(np.abs(x).max()) < -3
    assert level.true_peak_db(x) == pytest.approx(0, abs=0.03)


def test_the_level_of_speech_leaves_pauses_out() -> None:
    x = tone(500)
    with_pauses = np.concatenate([x, 1e-3 * x, x])
    assert level.speech_db(with_pauses, RATE) == pytest.approx(-3.01, abs=0.05)
    assert level.speech_db(level.at_db(with_pauses, RATE, -40), RATE) == pytest.approx(
        -40, abs=1e-3
    )


def test_a_gain_that_moves_is_seen() -> None:
    said = tone(500, 4.0)
    moving = said * (10 ** (np.linspace(0, 12, len(said)) / 20)).astype(np.float32)
    assert level.fastest(said, moving, RATE, 0) == pytest.approx(3, abs=0.1)
    assert level.fastest(said, said, RATE, 0) == 0


def test_a_limiter_that_does_nothing_is_found_out() -> None:
    def nothing(block: Array) -> Array:
        return block

    found = level.limiter("nothing", lambda: nothing)
    assert found["latency_ms"] == 0
    assert min(found["overshoot_db"].values()) > 1


def test_a_fade_is_in_time_and_a_cut_clicks() -> None:
    for of in level.fades():
        assert of["silent_after_ms"] <= of["release_ms"]
        assert of["click"] < 1e-3 * of["click_of_a_cut"]


def test_who_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(level_peers.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError()))
    with pytest.raises(level_peers.MissingError, match=r"left out: no libebur128.so.1 here"):
        level_peers.libebur128(RATE)
