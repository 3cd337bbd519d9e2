"""What the network hears of a crop, and what it is to answer, belong to the same moment."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from persona_voice.converter import SILENT
from training import data
from training.data import (
    CropConfig,
    Labelled,
    Pairs,
    crop_of_labelled,
    crop_of_pair,
    log_mel,
    made_by,
)
from training.speech import JOINED_S, LONGEST_S, cut, joined
from training.synthesis import HOP, RATE

CONFIG = CropConfig(warm_frames=8, frames=60)
REACH = 7
MOMENTS = 400


@pytest.fixture(autouse=True)
def nothing_done_to_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    for share, value in {"CLEAN": 1.0, "RECORDED": 0.0, "BETWEEN": 0.0}.items():
        monkeypatch.setattr(data, share, value)
    monkeypatch.setattr(data, "another_speaker", lambda _rng, mel: mel)


def bursts() -> tuple[np.ndarray, np.ndarray]:
    """Speech that is a burst of noise around every 20th moment, and envelopes that say so."""
    rng = np.random.default_rng(1)
    samples = np.zeros(MOMENTS * HOP, np.int16)
    envelopes = np.full((MOMENTS + 1, 2, 80), SILENT, np.float16)
    for moment in range(10, MOMENTS - 10, 20):
        near = slice(moment * HOP - HOP // 2, moment * HOP + HOP // 2)
        samples[near] = rng.integers(-9000, 9000, HOP)
        envelopes[moment] = -3.0
    return samples, envelopes


def of_pairs() -> Pairs:
    samples, envelopes = bursts()
    pairs = Pairs.__new__(Pairs)
    pairs.items = [
        {
            "target": samples, "sources": [samples], "weight": np.ones(1),
            "envelopes": envelopes, "f0": np.full(MOMENTS + 1, 200.0),
        }
    ]  # fmt: skip
    pairs.weight = np.ones(1)
    return pairs


def of_labelled() -> Labelled:
    labelled = Labelled.__new__(Labelled)
    labelled.items = [(*bursts(), np.full(MOMENTS + 1, 200.0))]
    labelled.weight = np.ones(1)
    return labelled


def loudest(values: np.ndarray) -> np.ndarray:
    """Where a row is louder than the ones around it, and loud at all."""
    level = values.reshape(len(values), -1).mean(1)
    inside = level[1:-1]
    top = (inside > level[:-2]) & (inside >= level[2:]) & (inside > level.max() - 2)
    return np.flatnonzero(top) + 1


@pytest.mark.parametrize("replayed", [None, 0.0, 0.2])
def test_a_burst_is_heard_when_it_is_to_be_answered(
    monkeypatch: pytest.MonkeyPatch, replayed: float | None
) -> None:
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(20):
        crop: Any
        if replayed is None:
            crop = crop_of_pair(rng, of_pairs(), CONFIG, REACH)
        else:
            monkeypatch.setattr(data, "REPLAYED", 1.0 if replayed else 0.0)
            monkeypatch.setattr(data, "REPLAY_SPREAD", replayed)
            crop = crop_of_labelled(rng, of_labelled(), CONFIG, REACH)
        assert crop.mel.shape == (CONFIG.warm_frames + CONFIG.frames, 80)
        assert crop.envelopes.shape == (REACH + CONFIG.frames, 2, 80)
        assert len(crop.target) == len(crop.pulse) == (REACH + CONFIG.frames - 1) * HOP
        heard = loudest(crop.mel) - CONFIG.warm_frames
        # Half a hop on each side of a moment is where its burst sounds.
        sound = np.abs(crop.target[HOP // 2 : -HOP // 2]).reshape(-1, HOP).mean(1)
        inside = [moment for moment in loudest(crop.envelopes) if 1 < moment < len(sound) - 1]
        assert all(sound[moment - 1] > 0.5 * sound.max() for moment in inside)
        for moment in loudest(crop.envelopes) - REACH:
            if -CONFIG.warm_frames + 4 < moment < CONFIG.frames - 4:
                # Frame k stands for 0.6 hops before moment k: 0 or 1 later, and 1 more when replayed.
                assert np.min(np.abs(heard - moment - 0.6)) < (1.6 if replayed else 0.7)
                found += 1
    assert found > 20


def test_a_crop_is_heard_as_its_stream_would_hear_it_without_steady_noise() -> None:
    rng = np.random.default_rng(5)
    noise, before = 0.05 * rng.standard_normal(200 * HOP), 100
    whole, crop = log_mel(noise), data.hear(rng, noise, before, 1.0)
    assert crop.shape == (200 - before, 80)
    # 12 dB are 2.8 nepers of power. The mutant: a crop that begins with its stream knows of no noise.
    assert np.mean(crop[:20] - whole[before : before + 20]) < -2
    assert np.mean(data.hear(rng, noise[before * HOP :], 0, 1.0)[:20] - whole[before:][:20]) > -1.5


def test_nothing_is_left_above_the_band_of_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "RECORDED", 1.0)
    monkeypatch.setattr(data, "BANDWIDTHS_HZ", ((7000.0, 7000.1),))
    monkeypatch.setattr(data, "BANDWIDTH_SHARES", (1.0,))
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal(RATE)
    before, after = log_mel(noise)[20:-20], log_mel(data.recorded(rng, noise))[20:-20]
    assert np.abs(after[:, :55] - before[:, :55]).max() < 0.1
    assert after[:, -10:].max() < -20


def test_recordings_are_cut_levelled_and_joined() -> None:
    rng = np.random.default_rng(0)
    spoken = np.concatenate([np.zeros(RATE), 0.02 * rng.standard_normal(RATE), np.zeros(2 * RATE)])
    piece = cut(spoken.astype(np.float32))
    assert piece is not None
    assert 1.2 * RATE < len(piece) < 1.3 * RATE
    assert 0.08 < np.sqrt((piece[RATE // 2 : RATE] ** 2).mean()) < 0.12
    assert cut(np.zeros(RATE, np.float32)) is None
    lengths = [len(part) / RATE for part in joined([piece] * 13)]
    assert len(lengths) == 3
    assert all(JOINED_S < seconds < LONGEST_S for seconds in lengths[:2])


def test_labels_of_one_cache_are_of_one_origin(tmp_path: Path) -> None:
    folder = made_by(tmp_path / "labelled", "the teacher")
    made_by(tmp_path / "labelled", "weights 7")  # there were none yet
    (folder / "real_1.npz").touch()
    assert made_by(tmp_path / "labelled", "weights 7") == folder
    with pytest.raises(SystemExit, match="holds files by weights 7, not by the teacher"):
        made_by(tmp_path / "labelled", "the teacher")
    (folder / "by").unlink()
    with pytest.raises(SystemExit, match="holds files by somebody else, not by weights 7"):
        made_by(tmp_path / "labelled", "weights 7")
