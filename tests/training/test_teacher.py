"""From content to envelopes: what the teacher is given, and what it leaves for the network."""

import argparse
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from training import teacher
from training.content import WIDTH, level, loudness, read_ctranslate2
from training.synthesis import HOP, RATE

SECONDS = 2
MOMENTS = SECONDS * 100 + 1


def reading(file: Path, rng: np.random.Generator, louder: float = 0.0) -> None:
    loud = rng.normal(-3, 1, MOMENTS) + louder
    content = rng.standard_normal((SECONDS * 50 + 1, WIDTH)).astype(np.float16)
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as out:
        np.savez(out, content=content, loudness=loud.astype(np.float32), level=level(loud))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Fourteen pairs, and one speech that is there twice, once louder by a neper."""
    rng = np.random.default_rng(0)
    (tmp_path / "envelopes").mkdir()
    for pair in range(teacher.HELD_OUT_PAIRS + 2):
        wanted = rng.normal(-5, 1, (MOMENTS, 2, 80)).astype(np.float16)
        np.save(tmp_path / "envelopes" / f"{pair:05d}.npy", wanted)
        for name in ("target", "source_0"):
            reading(tmp_path / "content" / f"pair_{pair:05d}_{name}.npz", rng)
    (tmp_path / "speech").mkdir()
    for name, louder in (("quiet", 0.0), ("loud", 1.0)):
        same = np.random.default_rng(1)
        reading(tmp_path / "content" / f"{name}.npz", same, louder)
        sound = same.uniform(-0.1, 0.1, SECONDS * RATE)
        soundfile.write(tmp_path / "speech" / f"{name}.flac", sound, RATE, subtype="PCM_16")
    return tmp_path


def labelled(cache: Path, name: str) -> np.ndarray:
    with np.load(cache / "labelled" / f"{name}.npz") as arrays:
        assert arrays["source"].dtype == np.int16
        assert len(arrays["source"]) == SECONDS * RATE
        return arrays["envelopes"].astype(np.float32)


def test_all_speech_is_labelled_and_the_louder_is_louder(cache: Path) -> None:
    options = argparse.Namespace(steps=2, batch=2, rate=1e-3)
    teacher.label(cache, teacher.train(cache, options))
    quiet, loud = labelled(cache, "quiet"), labelled(cache, "loud")
    assert quiet.shape == (MOMENTS, 2, 80)
    assert np.abs(loud - quiet - 1.0).max() < 0.02
    before = (cache / "labelled" / "loud.npz").stat().st_mtime_ns
    teacher.label(cache, teacher.train(cache, options))  # all there: nothing is made again
    assert (cache / "labelled" / "loud.npz").stat().st_mtime_ns == before


def test_a_content_frame_answers_for_the_moments_around_it() -> None:
    torch.manual_seed(0)
    of = teacher.Teacher().eval()
    content, loud = torch.randn(1, 60, WIDTH), torch.zeros(1, 119)
    other = content.clone()
    other[0, 30] = torch.randn(WIDTH)
    with torch.inference_mode():
        moved = (of(content, loud) - of(other, loud)).abs().sum((0, 2, 3))
    (touched,) = np.nonzero(moved.numpy() > 1e-6)
    assert (touched.min() + touched.max()) / 2 == 60


def test_loudness_and_level_are_those_of_the_sound() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    samples = np.concatenate([np.zeros(RATE), noise])
    loud = loudness(samples)
    assert len(loud) == len(samples) // HOP + 1
    assert np.abs(loud[110:190].mean() - np.log(0.1)) < 0.1
    assert loud[:95].max() < -10
    assert abs(level(loud) - np.log(0.1)) < 0.2


def test_a_ctranslate2_file_is_read_and_another_version_refused(tmp_path: Path) -> None:
    def name(word: str) -> bytes:
        return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"

    values = np.arange(6, dtype="<f2").reshape(2, 3)
    body = name("WhisperSpec") + struct.pack("<II", 3, 1) + name("encoder/conv1/weight")
    body += struct.pack("<BIIBI", 2, 2, 3, 4, values.nbytes) + values.tobytes()
    file = tmp_path / "model.bin"
    file.write_bytes(struct.pack("<I", 6) + body)
    read = read_ctranslate2(file)
    np.testing.assert_array_equal(read["encoder/conv1/weight"].numpy(), values)
    file.write_bytes(struct.pack("<I", 5) + body)
    with pytest.raises(SystemExit, match="version is 5, expected 6"):
        read_ctranslate2(file)
