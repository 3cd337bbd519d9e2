"""Moods on real speech in the persona's voice: heard as documented, passing, and without a click."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import soundfile

from persona_voice import _core
from persona_voice.build import convert, open_stream
from persona_voice.errors import SettingError
from persona_voice.path.stream import Samples
from persona_voice.persona.mood import MOODS
from persona_voice.persona.persona import personas_folder
from persona_voice.persona.state import Manner

RECORDINGS = personas_folder().parent / "recordings"
RATE = 24_000


@cache
def speech(name: str = "arctic_slt_en_f", seconds: int = 4) -> Samples:
    samples, rate = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")
    return _core.Resampler(rate, RATE).process(np.ascontiguousarray(samples[: seconds * rate]))


@cache
def in_mood(name: str) -> Samples:
    """A man and a woman, once their mean is known."""
    made = [
        convert(speech(of, 7), sample_rate=RATE, mood=name, mode="live")
        for of in ("austen_en_m", "arctic_slt_en_f")
    ]
    return np.concatenate([of[2 * RATE :] for of in made if of is not None])


def measured(sound: Samples) -> tuple[float, float, float, float]:
    """Median F0 in semitones, its spread in octaves (log2), level in dB, tilt in dB per octave."""
    f0 = _core.F0Tracker().process(sound)
    octaves = np.log2(f0[f0[:, 2] > 0.5, 0])
    spread = np.log2(np.subtract(*np.percentile(octaves, [80, 20])))
    frames = np.log(10) ** -1 * 10 * _core.LogMel().process(sound)
    loud = frames[frames.mean(1) > frames.mean(1).max() - 40]
    bands = 10 * np.log10((10 ** (loud / 10)).mean(0))
    centres = np.geomspace(1, 1, 80) * [_centre_hz(band) for band in range(80)]
    tilt = np.polyfit(np.log2(centres[3:70]), bands[3:70], 1)[0]
    level = 10 * np.log10(np.mean(np.square(sound)))
    return float(12 * np.median(octaves)), float(spread), float(level), float(tilt)


def _centre_hz(band: int) -> float:
    """Slaney's scale up to 12 kHz, 80 bands."""
    mel = (band + 1) * (15 + 27 * np.log(12) / np.log(6.4)) / 81
    return float(mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


@pytest.mark.parametrize("name", ["excited", "happy", "sad", "angry", "calm"])
def test_a_mood_is_heard_with_the_sign_and_size_of_the_table(name: str) -> None:
    wanted = MOODS[name]
    register, spread, level, tilt = np.subtract(
        measured(in_mood(name)), measured(in_mood("neutral"))
    )
    assert abs(register - wanted.register_semitones) < 0.45
    assert abs(spread - wanted.range_octaves) < 0.2
    assert abs(level - wanted.level_db) < 0.5
    assert abs(tilt - wanted.tilt_db) < 0.35


def test_a_mood_passes_until_nothing_is_left_of_it() -> None:
    moved, neutral = open_stream(sample_rate=RATE), open_stream(sample_rate=RATE)
    moved.express("angry", half_life_s=0.1)
    said = np.tile(speech()[:RATE], 3)
    got, wanted = moved.process(said), neutral.process(said)
    assert not np.array_equal(got[:RATE], wanted[:RATE])
    # Harmonics keep the phase that another F0 gave them; level, F0 and noise are as they were.
    level = [10 * np.log10(np.mean(x[2 * RATE :] ** 2)) for x in (got, wanted)]
    assert abs(level[0] - level[1]) < 0.1
    assert moved.status.f0_out_hz == neutral.status.f0_out_hz


def test_a_mood_is_forgotten_with_the_stream_and_a_manner_is_not() -> None:
    stream, said = open_stream(sample_rate=RATE), speech()[:RATE]
    neutral = stream.process(said)
    stream.express("sad", half_life_s=None)
    stream.reset()
    np.testing.assert_array_equal(stream.process(said), neutral)
    stream.set_manner(Manner(level_db=-6.0))
    stream.reset()
    quiet = stream.process(said)
    assert abs(20 * np.log10(np.std(quiet) / np.std(neutral)) + 6) < 0.2


def test_a_mood_on_top_of_a_manner_stays_within_a_turn() -> None:
    said, grown = speech()[:RATE], Manner(register_semitones=0.9, level_db=1.0)
    moved, wanted = open_stream(sample_rate=RATE), open_stream(sample_rate=RATE)
    for stream in (moved, wanted):
        stream.set_manner(grown)
        stream.reset()
    moved.express("excited", half_life_s=None)
    wanted.express(
        replace(MOODS["excited"], register_semitones=1.5 - 0.9, level_db=3.0 - 1.0),
        half_life_s=None,
    )
    np.testing.assert_allclose(moved.process(said), wanted.process(said), atol=1e-6)


@pytest.mark.parametrize(
    ("mood", "half_life_s", "code"),
    [
        ("furious", 1.0, "unknown_mood"),
        ("sad", 0.0, "out_of_range"),
        ("sad", float("nan"), "out_of_range"),
        (Manner(register_semitones=99.0), 1.0, "out_of_range"),
        (Manner(level_db=float("nan")), None, "out_of_range"),
    ],
)
def test_what_is_refused_leaves_the_mood_as_it_was(
    mood: str | Manner, half_life_s: float | None, code: str
) -> None:
    stream, said = open_stream(sample_rate=RATE), speech()[:RATE]
    neutral = stream.process(said)
    stream.reset()
    with pytest.raises(SettingError) as caught:
        stream.express(mood, half_life_s=half_life_s)
    assert caught.value.code == code
    np.testing.assert_array_equal(stream.process(said), neutral)
