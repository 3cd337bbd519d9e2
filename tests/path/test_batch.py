"""Streams in a batch against the same streams alone, with the shipped weights."""

import numpy as np
import pytest

from persona_voice.build import open_batch, open_stream
from persona_voice.errors import SettingError
from persona_voice.persona.state import Manner

RATE = 16_000
HOP = RATE // 100


def speech(seed: int, seconds: float = 0.8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(int(RATE * seconds)) / RATE
    phase = 2 * np.pi * np.cumsum((100 + 20 * seed) * (1 + 0.1 * np.sin(4 * t))) / RATE
    voice = sum(np.sin(h * phase) / h for h in range(1, 9)) * (np.sin(9 * t + seed) > -0.5)
    return (0.1 * voice + 0.002 * rng.standard_normal(len(t))).astype(np.float32)


def test_streams_that_come_and_go_sound_as_they_do_alone() -> None:
    batch = open_batch(5, sample_rate=RATE)
    inputs = [speech(seed) for seed in range(5)]
    hops = len(inputs[0]) // HOP
    slots: dict[int, int] = {}
    begins = [0, 0, 7, 20, 33]
    said: list[list[np.ndarray]] = [[] for _ in inputs]
    for hop in range(hops):
        for k in range(5):
            if begins[k] == hop:
                slots[k] = batch.join()
        if hop == 50:
            batch.leave(slots.pop(1))
        blocks = np.full((5, HOP), np.nan, np.float32)
        for k, slot in slots.items():
            at = (hop - begins[k]) * HOP
            blocks[slot] = inputs[k][at : at + HOP]
        out = batch.process(blocks)
        free = set(range(5)) - set(slots.values())
        assert all(not out[slot].any() for slot in free)
        for k, slot in slots.items():
            said[k].append(out[slot])
    for k, parts in enumerate(said):
        together = np.concatenate(parts)
        alone = open_stream(sample_rate=RATE).process(inputs[k][: len(together)])
        assert np.array_equal(together, alone)
        assert np.abs(alone).max() > 0.01
    assert batch.latency_samples == open_stream(sample_rate=RATE).latency_samples


def test_status_is_of_one_stream() -> None:
    batch = open_batch(3, sample_rate=RATE)
    quiet, loud = batch.join(), batch.join()
    blocks = np.zeros((3, len(speech(0))), np.float32)
    blocks[loud] = speech(0)
    blocks[loud, 5] = np.inf
    batch.process(blocks)
    assert batch.status(loud).faults == {"non_finite": 1}
    assert batch.status(quiet).faults == {}
    assert batch.status(quiet).input_db < -100 < -40 < batch.status(loud).input_db


def test_mistakes_are_refused_and_leave_the_others_as_they_are() -> None:
    batch = open_batch(2, sample_rate=RATE)
    first, second = batch.join(), batch.join()
    with pytest.raises(SettingError, match="all 2 are taken") as caught:
        batch.join()
    assert caught.value.code == "batch_full"
    batch.leave(second)
    with pytest.raises(SettingError, match=f"a slot must be joined first, got {second}"):
        batch.leave(second)
    for wrong in (
        np.zeros((3, HOP), np.float32),
        np.zeros((1, HOP), np.float32),
        np.zeros(HOP, np.float32),
        np.zeros((2, HOP)),
        [[0.0], [0.0]],
    ):
        with pytest.raises(SettingError) as caught:
            batch.process(wrong)  # type: ignore[arg-type]
        assert caught.value.code == "wrong_array"
    x = np.stack([speech(0), speech(1)])
    assert np.array_equal(batch.process(x)[first], open_stream(sample_rate=RATE).process(x[first]))
    assert batch.process(np.zeros((2, 0), np.float32)).shape == (2, 0)


@pytest.mark.parametrize("slots", [-1, 0, 4097])
def test_slots_must_lie_in_range(slots: int) -> None:
    with pytest.raises(SettingError, match=r"slots must lie in 1\.\.=4096"):
        open_batch(slots)


@pytest.mark.parametrize("slot", [-1, 2, 2**40])
def test_a_slot_that_there_is_not_is_out_of_range(slot: int) -> None:
    batch = open_batch(2, sample_rate=RATE)
    for call in (batch.leave, batch.status, lambda of: batch.express(of, "sad")):
        with pytest.raises(SettingError, match=rf"slot must lie in 0\.\.=1, got {slot}"):
            call(slot)


def test_a_mood_and_a_manner_in_one_slot_are_of_that_stream() -> None:
    batch = open_batch(2, sample_rate=RATE)
    moved, neutral = batch.join(), batch.join()
    batch.set_manner(moved, Manner(breath_db=2.0))
    batch.express(moved, "sad", half_life_s=1.0)
    alone, untouched = open_stream(sample_rate=RATE), open_stream(sample_rate=RATE)
    alone.set_manner(Manner(breath_db=2.0))
    alone.express("sad", half_life_s=1.0)
    said = speech(1)
    out = batch.process(np.stack([said, said]))
    assert np.array_equal(out[moved], alone.process(said))
    assert np.array_equal(out[neutral], untouched.process(said))
    assert not np.array_equal(out[moved], out[neutral])
    with pytest.raises(SettingError, match="mood must be one of"):
        batch.express(moved, "furious")
    batch.leave(neutral)
    with pytest.raises(SettingError, match="joined"):
        batch.express(neutral, "sad")
