"""How well speech is heard: real recordings that no training saw, in noise and alone."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

import persona_voice
from benches.vad_set import labelled
from persona_voice.errors import SettingError
from training.vad import area

RECORDINGS = Path(persona_voice.__file__).parent / "assets" / "recordings"
NAMES = sorted(file.stem for file in RECORDINGS.glob("*.flac"))
RATE, HOP = 16_000, 160

Samples = npt.NDArray[np.float32]


def track(seed: int) -> tuple[Samples, npt.NDArray[np.bool_]]:
    """All recordings with pauses of a second, -26 dBFS, and whether each 10 ms is speech."""
    parts, labels = [np.zeros(RATE, np.float32)], [np.zeros(100, bool)]
    for name in np.random.default_rng(seed).permutation(NAMES):
        sound, rate = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")
        assert rate == RATE
        sound = sound[: len(sound) // HOP * HOP]
        parts += [sound * np.float32(0.05 / sound.std()), np.zeros(RATE, np.float32)]
        labels += [labelled(sound)[1], np.zeros(100, bool)]
    return np.concatenate(parts).astype(np.float32), np.concatenate(labels)


def pink(n: int, level: float) -> Samples:
    spectrum = np.fft.rfft(np.random.default_rng(8).standard_normal(n))
    y = np.fft.irfft(spectrum * np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20) ** -0.5, n)
    return (level * y / y.std()).astype(np.float32)


def areas(sound: Samples, speech: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """As it is, and with the labels 100 ms late: what a detector that lags would have."""
    score = persona_voice.Vad(RATE).process(sound)[:, 0]
    return area(score, speech), area(score, np.roll(speech, 10))


def test_speech_is_told_from_silence_and_from_noise() -> None:
    sound, speech = track(1)
    for noise, least in ((0.0, 0.985), (0.005, 0.985), (0.016, 0.98)):
        right, late = areas(sound + pink(len(sound), noise), speech)
        assert right > least, noise
        assert late < right - 0.02


def test_gain_changes_little() -> None:
    sound, speech = track(2)
    scores = [persona_voice.Vad(RATE).process(sound * np.float32(gain))[:, 0] for gain in (1, 0.1)]
    for score in scores:
        assert area(score, speech) > 0.985


def test_speech_begins_within_40_ms_and_ends_within_400() -> None:
    sound, speech = track(3)
    frames = persona_voice.Vad(RATE).process(sound + pink(len(sound), 1e-4))
    edges = np.flatnonzero(np.diff(speech.astype(int)))
    first = [at for at in edges[::2] if not speech[max(at - 80, 0) : at].any()]
    for column, most in ((1, 4), (2, 2)):
        late = [np.argmax(frames[at : at + 50, column]) for at in first]
        assert len(late) >= len(NAMES)
        assert np.median(late) <= most
    # A second without a word is last.
    assert not frames[-60:, 1].any()


def test_a_rate_that_no_sound_has_is_refused() -> None:
    with pytest.raises(SettingError, match=r"^sample_rate in Hz must lie in 8000\.\.=192000"):
        persona_voice.Vad(4000)
