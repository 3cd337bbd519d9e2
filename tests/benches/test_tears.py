"""What the monitor's bench calls a tear."""

import numpy as np
import pytest

from benches.monitor import planted_and_found, tears

RATE = 8000
MADE = np.cumsum(np.random.default_rng(0).normal(0, 0.01, 60 * RATE)).astype(np.float32)
MADE -= np.convolve(MADE, np.ones(200) / 200, "same").astype(np.float32)


def test_what_was_made_and_recorded_later_has_no_tear() -> None:
    heard = np.round(MADE[12_345:] * 32768) / 32768
    assert tears(MADE, heard.astype(np.float32), RATE) == []


def test_silence_in_place_of_sound_a_gap_and_a_sample_too_many_are_three() -> None:
    silent = MADE.copy()
    silent[10 * RATE + 7 : 10 * RATE + 90] = 0
    heard = np.concatenate(
        [silent[: 20 * RATE], silent[20 * RATE + 240 : 30 * RATE], silent[30 * RATE - 1 :]]
    )
    found = tears(MADE, heard, RATE)
    assert [lost for _, lost in found] == [0, 240, -1]
    wanted = np.array([10 * RATE + 7, 20 * RATE, 30 * RATE - 240])
    assert np.abs(np.array([at for at, _ in found]) - wanted).max() <= 3


# Half of it silence, in pauses of up to two seconds, and all of it over again after half a minute.
PAUSED = np.tile(MADE[: 30 * RATE] * np.repeat(np.random.default_rng(1).random(30) < 0.5, RATE), 5)


@pytest.mark.parametrize("sound", [np.tile(MADE, 2), PAUSED], ids=["on and on", "with pauses"])
def test_every_planted_one_is_found(sound: np.ndarray) -> None:
    found = planted_and_found(sound.astype(np.float32), RATE)
    assert found == {"planted": 50, "found": 50}


def test_where_there_is_no_room_for_all_those_that_are_planted_are_told() -> None:
    found = planted_and_found(MADE[: 20 * RATE], RATE)
    assert 5 < found["planted"] < 20
    assert found["found"] == found["planted"]


def test_silence_at_the_start_does_not_say_where_the_recording_is() -> None:
    made = np.concatenate([np.zeros(3 * RATE, np.float32), MADE])
    heard = made[2 * RATE :].copy()
    assert tears(made, heard, RATE) == []
    torn = np.concatenate([heard[: 20 * RATE], heard[20 * RATE + 99 :]])
    assert [lost for _, lost in tears(made, torn, RATE)] == [99]
