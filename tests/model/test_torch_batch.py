"""Streams of the torch batch against `VoiceStream` alone in the core, with the shipped weights."""

from functools import cache

import numpy as np
import pytest
import soundfile
import torch

from persona_voice import _core
from persona_voice.build import open_batch, open_stream
from persona_voice.errors import SettingError
from persona_voice.model.torch_batch import TorchBatch
from persona_voice.path.batch import VoiceBatch
from persona_voice.path.stream import Samples
from persona_voice.persona.persona import personas_folder
from persona_voice.persona.state import Manner

RECORDINGS = personas_folder().parent / "recordings"
# Of full scale. Measured: 3e-6.
TOLERANCE = 1e-4


@cache
def speech(name: str, rate: int, seconds: float) -> Samples:
    """Somebody, from the beginning, over again if that is too short; digital silence in between."""
    samples, of = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")
    once = _core.Resampler(of, rate).process(np.ascontiguousarray(samples))
    with_pause = np.concatenate([once[: 2 * rate], np.zeros(rate // 4, np.float32), once])
    return np.resize(with_pause, round(seconds * rate))


def torch_batch(slots: int, rate: int) -> VoiceBatch:
    return open_batch(slots, sample_rate=rate, engine="torch")


def off(got: Samples, expected: Samples) -> float:
    return float(np.abs(got - expected).max())


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_streams_that_join_at_different_hops_sound_as_they_do_alone(rate: int) -> None:
    batch, hop = torch_batch(5, rate), rate // 100
    names = ("arctic_slt_en_f", "austen_en_m", "arctic_awb_en_m", "arctic_slt_en_f")
    inputs = [speech(name, rate, 5.0) for name in names]
    begins, slots = [0, 0, 37, 101], [-1] * 4
    said: list[list[Samples]] = [[] for _ in names]
    for k in range(500):
        for n in range(4):
            if begins[n] == k:
                slots[n] = batch.join()
        if k == 50:
            batch.express(slots[1], "happy", half_life_s=1.0)
            batch.set_manner(slots[1], Manner(level_db=2.0, breath_db=-3.0, tilt_db=1.0))
        # Blocks of a hop, and of one that falls between.
        here = slice(k * hop, (k + 1) * hop)
        cut = hop if k % 3 else 100
        out = np.empty((5, hop), np.float32)
        for of in (slice(0, cut), slice(cut, hop)):
            blocks = np.full((5, len(range(hop)[of])), np.nan, np.float32)
            for n, slot in enumerate(slots):
                if slot >= 0:
                    blocks[slot] = inputs[n][here][of]
            out[:, of] = batch.process(blocks)
        for n, slot in enumerate(slots):
            if slot >= 0:
                said[n].append(out[slot])
        assert not out[[slot for slot in range(5) if slot not in slots]].any()
    for n, parts in enumerate(said):
        alone = open_stream(sample_rate=rate)
        start = begins[n] * hop
        if n == 1:
            first = alone.process(inputs[1][: 50 * hop])
            alone.express("happy", half_life_s=1.0)
            alone.set_manner(Manner(level_db=2.0, breath_db=-3.0, tilt_db=1.0))
            expected = np.concatenate([first, alone.process(inputs[1][50 * hop :])])
        else:
            expected = alone.process(inputs[n][start:])
        got = np.concatenate(parts)
        assert off(got, expected) < TOLERANCE
        # The mutant: a sample late is far outside.
        assert off(got[1:], expected[:-1]) > 100 * TOLERANCE
        assert batch.status(slots[n]).f0_out_hz == alone.status.f0_out_hz
        assert batch.status(slots[n]).input_db == alone.status.input_db
        assert batch.status(slots[n]).output_db == pytest.approx(alone.status.output_db, abs=0.01)
    assert batch.latency_samples == open_stream(sample_rate=rate).latency_samples


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_on_a_gpu_too_streams_sound_as_they_do_alone() -> None:
    rate = 48_000
    batch = open_batch(3, sample_rate=rate, engine="torch", device="cuda")
    names = ("arctic_slt_en_f", "austen_en_m")
    first, later = (speech(name, rate, 5.0) for name in names)
    slot, begun = batch.join(), rate // 2
    before = batch.process(np.stack([first[:begun]] * 3))[slot]
    other = batch.join()
    rows = np.zeros((3, len(first) - begun), np.float32)
    rows[slot], rows[other] = first[begun:], later[: len(first) - begun]
    out = batch.process(rows)
    alone = [open_stream(sample_rate=rate).process(of) for of in (first, rows[other])]
    assert off(np.concatenate([before, out[slot]]), alone[0]) < TOLERANCE
    assert off(out[other], alone[1]) < TOLERANCE


def test_whoever_takes_a_slot_that_was_left_begins_as_new() -> None:
    rate = 24_000
    batch = torch_batch(2, rate)
    here, stays = speech("austen_en_m", rate, 1.0), speech("arctic_slt_en_f", rate, 2.0)
    first, other = batch.join(), batch.join()
    batch.process(np.stack([here, stays[:rate]]))
    batch.leave(first)
    with pytest.raises(SettingError, match=f"a slot must be joined first, got {first}"):
        batch.leave(first)
    assert batch.join() == first
    out = batch.process(np.stack([here, stays[rate:]]))
    assert off(out[first], open_stream(sample_rate=rate).process(here)) < TOLERANCE
    assert off(out[other], open_stream(sample_rate=rate).process(stays)[rate:]) < TOLERANCE


def test_in_more_slots_than_a_thread_takes_each_sounds_as_alone() -> None:
    rate, slots = 24_000, 150
    batch = torch_batch(slots, rate)
    said = {batch.join(): speech(name, rate, 1.0) for name in ("austen_en_m", "arctic_slt_en_f")}
    blocks = np.full((slots, rate), np.nan, np.float32)
    for slot, samples in said.items():
        blocks[slot] = samples
    out = batch.process(blocks)
    for slot, samples in said.items():
        assert off(out[slot], open_stream(sample_rate=rate).process(samples)) < TOLERANCE
    free = sorted(set(range(slots)) - set(said))
    assert not out[free].any()
    with pytest.raises(SettingError, match=f"joined first, got {free[-1]}"):
        batch.status(free[-1])
    others = [batch.join() for _ in free]
    assert sorted(others) == free
    with pytest.raises(SettingError, match=f"all {slots} are taken"):
        batch.join()


def test_studio_sounds_as_it_does_alone() -> None:
    batch = open_batch(1, sample_rate=24_000, mode="studio", engine="torch")
    batch.join()
    said = speech("arctic_slt_en_f", 24_000, 1.5)
    alone = open_stream(sample_rate=24_000, mode="studio").process(said)
    assert off(batch.process(said[None])[0], alone) < TOLERANCE


def of_voices(batch: VoiceBatch) -> TorchBatch:
    streams = batch._streams
    assert isinstance(streams, TorchBatch)
    return streams


def test_a_slot_whose_answer_is_no_number_falls_silent_alone() -> None:
    rate = 24_000
    batch, said = torch_batch(3, rate), speech("austen_en_m", rate, 2.0)
    failing, sound = batch.join(), batch.join()
    blocks = np.stack([said, said, said])
    batch.process(np.ascontiguousarray(blocks[:, : rate // 2]))
    of_voices(batch).voices.rings[failing] = torch.nan
    out = batch.process(np.ascontiguousarray(blocks[:, rate // 2 :]))
    assert batch.status(failing).faults == {"converter_failed": 1}
    assert batch.status(sound).faults == {}
    # What it was saying rings out within the latency and two hops.
    settled = batch.latency_samples + rate // 50
    assert np.isfinite(out).all()
    assert np.abs(out[failing, settled:]).max() < 1e-4
    alone = open_stream(sample_rate=rate).process(said)[rate // 2 :]
    assert np.abs(alone[settled:]).max() > 0.1
    assert off(out[sound], alone) < TOLERANCE
    batch.leave(failing)
    assert batch.join() == failing
    assert batch.status(failing).faults == {}
    again = batch.process(np.ascontiguousarray(blocks[:, :rate]))
    assert off(again[failing], open_stream(sample_rate=rate).process(said[:rate])) < TOLERANCE


def test_a_step_that_raises_silences_who_is_there_and_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch, said = torch_batch(2, 24_000), speech("austen_en_m", 24_000, 1.0)
    slot = batch.join()
    blocks = np.stack([said, said])
    with monkeypatch.context() as patch:
        patch.setattr(of_voices(batch).voices, "step", lambda heard: 1 / 0)
        assert not batch.process(blocks).any()
    assert batch.status(slot).faults == {"converter_failed": 1}
    later = batch.join()
    out = batch.process(blocks)
    assert not out[slot].any()
    assert off(out[later], open_stream(sample_rate=24_000).process(said)) < TOLERANCE


def test_too_loud_and_not_finite_come_out_as_alone() -> None:
    said = speech("austen_en_m", 24_000, 1.0) * np.float32(1e20)
    said[5000:5100] = np.inf
    batch = torch_batch(1, 24_000)
    slot = batch.join()
    alone = open_stream(sample_rate=24_000)
    assert off(batch.process(said[None])[slot], alone.process(said)) < TOLERANCE
    assert batch.status(slot).faults == alone.status.faults == {"non_finite": 100}


def test_what_is_refused_consumes_nothing() -> None:
    batch, said = torch_batch(2, 24_000), speech("austen_en_m", 24_000, 0.5)
    slot = batch.join()
    for wrong in (
        np.zeros((3, 240), np.float32),
        np.zeros(240, np.float32),
        np.zeros((2, 240)),
        np.asfortranarray(np.zeros((2, 240), np.float32)),
        [[0.0], [0.0]],
    ):
        with pytest.raises(SettingError) as caught:
            batch.process(wrong)  # type: ignore[arg-type]
        assert caught.value.code == "wrong_array"
    with pytest.raises(SettingError, match="mood must be one of"):
        batch.express(slot, "furious")
    with pytest.raises(SettingError, match=r"slot must lie in 0\.\.=1, got 2"):
        batch.status(2)
    with pytest.raises(SettingError, match="joined"):
        batch.express(1, "sad")
    out = batch.process(np.stack([said, said]))
    assert off(out[slot], open_stream(sample_rate=24_000).process(said)) < TOLERANCE
    assert batch.process(np.zeros((2, 0), np.float32)).shape == (2, 0)
    batch.join()
    with pytest.raises(SettingError, match="all 2 are taken"):
        batch.join()


def test_ctrl_c_in_a_step_goes_on_and_ends_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, said = torch_batch(1, 24_000), speech("austen_en_m", 24_000, 0.5)
    slot = batch.join()

    def stopped(heard: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(of_voices(batch).voices, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            batch.process(said[None])
    assert batch.status(slot).faults == {}
    assert batch.process(said[None]).any()


@pytest.mark.parametrize("device", ["toaster", "cuda:99", "cpu:x", "meta"])
def test_a_device_that_is_not_here_is_refused(device: str) -> None:
    with pytest.raises(SettingError, match="device must be one that torch has here") as caught:
        open_batch(1, engine="torch", device=device)
    assert caught.value.code == "unknown_torch_device"


def test_engines_and_devices_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(SettingError, match="device must be cpu for the engine native") as caught:
        open_batch(1, device="cuda")
    assert caught.value.code == "unknown_torch_device"
    with pytest.raises(SettingError, match="engine must be one of auto, native, torch") as caught:
        open_batch(1, engine="steam")
    assert caught.value.code == "unknown_engine"
    with pytest.raises(SettingError, match=r"slots must lie in 1\.\.=4096"):
        open_batch(0, engine="torch")
