"""The verifier hears who speaks, not how loud, at what rate or with which pauses; and refuses the rest."""

from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
import soundfile
from safetensors.numpy import save_file

from persona_voice.errors import SettingError, WeightsError
from persona_voice.model.verifier import (
    Verifier,
    VerifierConfig,
    load_verifier,
    normalised,
    save_verifier,
    similarity,
    spoken,
)

RECORDINGS = Path(__file__).parents[2] / "persona_voice" / "assets" / "recordings"
REFERENCE = RECORDINGS.parent / "personas" / "samantha" / "reference"
TINY = VerifierConfig(channels=4, joined=6, attention=3, width=5, dilations=(1, 2))

Samples = npt.NDArray[np.float32]


def recording(name: str) -> tuple[Samples, int]:
    samples, rate = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")
    return samples, rate


def tiny() -> Verifier:
    rng = np.random.default_rng(1)
    tensors = {
        name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in TINY.shapes().items()
    }
    return Verifier(TINY, tensors, 0.5)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return load_verifier()


def test_an_embedding_has_length_one_and_is_the_same_each_time(verifier: Verifier) -> None:
    samples, rate = recording("kennedy_en_m")
    one, again = verifier.embed(samples, rate), verifier.embed(samples, rate)
    assert one.shape == (verifier.config.width,)
    assert one.dtype == np.float32
    assert abs(float(np.linalg.norm(one)) - 1) < 1e-6
    assert np.array_equal(one, again)


def test_level_and_rate_do_not_count(verifier: Verifier) -> None:
    samples, rate = recording("sonnet_en_f")
    one = verifier.embed(samples, rate)
    assert similarity(one, verifier.embed(samples * 2, rate)) > 0.999
    other_rate = scipy.signal.resample_poly(samples, 3, 1).astype(np.float32)
    assert similarity(one, verifier.embed(other_rate, 3 * rate)) > 0.99


def test_pauses_do_not_count(verifier: Verifier) -> None:
    samples, rate = recording("kennedy_en_m")
    quietest = int(np.convolve(samples**2, np.ones(1600), "valid").argmin()) + 800
    pause = np.zeros(3 * rate, np.float32)
    paused = np.concatenate([pause, samples[:quietest], pause, samples[quietest:], pause])
    assert similarity(verifier.embed(samples, rate), verifier.embed(paused, rate)) > 0.98


def test_two_cuts_of_one_speaker_are_nearer_than_two_speakers(verifier: Verifier) -> None:
    halves = []
    for name in ("kennedy_en_m", "austen_en_m", "sonnet_en_f"):
        samples, rate = recording(name)
        half = len(samples) // 2
        halves += [(name, verifier.embed(part, rate)) for part in (samples[:half], samples[half:])]
    same, different = [], []
    for (one, mine), (other, theirs) in combinations(halves, 2):
        (same if one == other else different).append(similarity(mine, theirs))
    assert min(same) > max(different)


def test_the_persona_is_herself_and_nobody_else(verifier: Verifier) -> None:
    hers = [
        verifier.embed(*soundfile.read(file, dtype="float32")) for file in REFERENCE.glob("*.flac")
    ]
    centre = np.mean(hers, axis=0)
    others = [verifier.embed(*recording(file.stem)) for file in RECORDINGS.glob("*.flac")]
    assert min(one @ centre for one in hers) > max(other @ centre for other in others)
    assert all(similarity(a, b) > verifier.same_speaker for a, b in combinations(hers, 2))


def test_too_little_speech_is_refused_with_what_there_was(verifier: Verifier) -> None:
    samples, rate = recording("kennedy_en_m")
    for sound in (
        np.zeros(0, np.float32),
        np.zeros(5 * rate, np.float32),
        np.full(5 * rate, 1e-5, np.float32),
        samples[: rate // 2],
    ):
        with pytest.raises(SettingError, match="at least 1.0 s of speech") as caught:
            verifier.embed(sound, rate)
        assert caught.value.code == "too_little_speech"
        assert caught.value.fields["seconds"] < 1.0


def test_what_is_no_sound_is_refused(verifier: Verifier) -> None:
    samples, rate = recording("kennedy_en_m")
    broken = samples.copy()
    broken[7] = np.nan
    for sound, at, code in (
        (broken, rate, "not_finite"),
        (samples.astype(np.float64), rate, "wrong_array"),
        (samples[:, None], rate, "wrong_array"),
        (samples, 100, "out_of_range"),
    ):
        with pytest.raises(SettingError) as caught:
            verifier.embed(sound, at)  # type: ignore[arg-type]
        assert caught.value.code == code


def test_frames_without_speech_are_left_out() -> None:
    samples, rate = recording("kennedy_en_m")
    pause = np.zeros(4 * rate, np.float32)
    alone, among = spoken(samples, rate), spoken(np.concatenate([pause, samples, pause]), rate)
    assert abs(len(alone) - len(among)) <= 4
    assert len(spoken(pause, rate)) == 0


def test_a_microphone_that_colours_is_normalised_away() -> None:
    frames = spoken(*recording("kennedy_en_m"))
    colour = np.linspace(-1, 1, frames.shape[1], dtype=np.float32)
    assert np.abs(normalised(frames).mean(axis=0, dtype=np.float64)).max() < 1e-5
    assert np.abs(normalised(frames) - normalised(frames + colour)).mean() < 0.05


def test_a_verifier_survives_the_file_within_half_precision(tmp_path: Path) -> None:
    file = tmp_path / "tiny.safetensors"
    save_verifier(tiny(), file, {"steps": "0"})
    read = load_verifier(file)
    assert read.config == TINY
    assert read.same_speaker == 0.5
    frames = np.random.default_rng(2).normal(size=(150, 66)).astype(np.float32)
    assert np.abs(read.answer(frames) - tiny().answer(frames)).max() < 0.01


def test_weights_that_are_not_whole_and_right_are_refused(tmp_path: Path) -> None:
    def code(file: Path) -> str:
        with pytest.raises(WeightsError) as caught:
            load_verifier(file)
        return caught.value.code

    file = tmp_path / "tiny.safetensors"
    assert code(file) == "weights_missing"
    save_verifier(tiny(), file, {})
    file.write_bytes(file.read_bytes()[:-10])
    assert code(file) == "weights_damaged"
    save_file({"x": np.zeros(3)}, str(file), metadata={"format": "persona-voice verifier 0"})
    assert code(file) == "weights_format"
    save_file({"x": np.zeros(3)}, str(file), metadata={"format": "persona-voice verifier 1"})
    assert code(file) == "weights_shape"
    broken = tiny()
    save_verifier(Verifier(VerifierConfig(), broken._tensors, 0.5), file, {})
    assert code(file) == "weights_shape"
    broken._tensors["join.bias"][0] = np.nan
    save_verifier(broken, file, {})
    assert code(file) == "weights_not_finite"
