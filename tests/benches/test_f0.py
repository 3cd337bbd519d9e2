"""What the bench `f0` measures: answers that are right, late, sharp or unvoiced."""

import numpy as np
import pytest

from benches.f0 import Compared, reliability, settled
from benches.f0_peers import Answer, Tracker
from training.contours import FRAME_MS, RATE, Known, contour_at, in_noise, levels_db, noise

SECONDS = 2.0


def truth() -> Known:
    """Half a second of voice that rises, then none, and so on."""
    moments = np.arange(round(SECONDS * 1000 / FRAME_MS)) * FRAME_MS / 1000
    f0 = np.where(moments % 1 < 0.5, 100 * 2 ** (moments % 1), 0.0)
    return Known("glide", np.zeros(round(SECONDS * RATE), np.float32), f0)


def answer(*, late_s: float = 0.0, sharp: float = 1.0, step_s: float = 0.01) -> Answer:
    told = np.arange(0.0, SECONDS, step_s)
    f0 = contour_at(truth().f0_hz, np.maximum(told - late_s, 0)) * sharp
    return Answer(told, f0, np.where(f0 > 0, 0.9, 0.1))


def test_what_is_right_is_right_and_a_semitone_off_is_not() -> None:
    right = Compared([answer()], [truth()], 0.0).figures(0.5)
    assert right["rpa"] > 0.97
    assert right["gross"] == 0
    assert right["voicing_errors"] < 0.02
    sharp = Compared([answer(sharp=2 ** (1 / 12))], [truth()], 0.0).figures(0.5)
    assert sharp["rpa"] == 0
    assert sharp["gross"] == 0
    assert Compared([answer(sharp=2.0)], [truth()], 0.0).figures(0.5)["gross"] == 1


def test_unvoiced_answers_are_wrong_where_there_is_voice() -> None:
    figures = Compared([answer()], [truth()], 0.0).figures(0.95)
    assert figures["rpa"] == 0
    assert figures["gross"] is None
    assert figures["voicing_errors"] == pytest.approx(0.5, abs=0.02)


def test_the_delay_is_found_to_a_few_milliseconds() -> None:
    tracker = Tracker("late", lambda _: answer(), streaming=True)
    for late_s in (0.0, 0.03, 0.12):
        found_s, threshold = settled([answer(late_s=late_s, step_s=0.002)], [truth()], tracker)
        assert found_s == pytest.approx(late_s, abs=0.004)
        assert threshold == 0.5


def test_confidence_is_held_against_what_is_right() -> None:
    compared = Compared([answer(sharp=2.0)], [truth()], 0.0)
    rows = reliability([compared], 0.5)
    assert [row["right"] for row in rows] == [pytest.approx(1, abs=0.02), 0]
    assert [row["confidence"] for row in rows] == pytest.approx([0.1, 0.9])


def test_noise_lies_as_far_below_speech_as_is_said() -> None:
    rng = np.random.default_rng(1)
    for kind in ("white", "pink", "brown"):
        sound = np.concatenate([0.1 * noise("white", RATE, rng), np.zeros(RATE)]).astype(np.float32)
        heard = in_noise(sound, noise(kind, 2 * RATE, rng), 10.0)
        power = np.mean((heard - sound) ** 2.0)
        assert 10 * np.log10(0.01 / power) == pytest.approx(10.0, abs=0.5)
    assert levels_db(sound, 400)[300] < -60
