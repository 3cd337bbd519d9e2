"""How a listener speaks, heard from their audio: what is planted is found, wherever blocks end."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from persona_voice.errors import SettingError, StreamError
from persona_voice.path.listening import (
    LONGEST_S,
    SPREAD_AT_BIRTH,
    SYLLABLES_AT_BIRTH,
    Listener,
    Samples,
)
from persona_voice.persona.entrain import Turn
from persona_voice.persona.persona import personas_folder
from persona_voice.sources.source import open_source

RECORDINGS = personas_folder().parent / "recordings"
REFERENCES = personas_folder() / "samantha" / "reference"
TEXT = "The old man walked slowly along the river and looked at the boats that lay there."


def read(file: Path) -> tuple[Samples, int]:
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32)), rate


def turn_of(samples: Samples, rate: int, cuts: tuple[int, ...] = (480,)) -> Turn:
    listener, at, n = Listener(rate), 0, 0
    while at < len(samples):
        listener.hear(samples[at : at + cuts[n % len(cuts)]])
        at, n = at + cuts[n % len(cuts)], n + 1
    turn = listener.end_turn()
    assert turn is not None
    return turn


def of(turn: Turn, name: str) -> float:
    value = getattr(turn, name)
    assert value is not None
    return float(value)


def test_it_does_not_matter_where_blocks_end() -> None:
    samples, rate = read(RECORDINGS / "austen_en_m.flac")
    whole = turn_of(samples, rate, (len(samples),))
    for cuts in ((480,), (1, 700, 0, 239, 5000), (77,)):
        assert turn_of(samples, rate, cuts) == whole, cuts


def test_her_references_are_the_measure_of_range_and_rate() -> None:
    turns = [turn_of(*read(file)) for file in sorted(REFERENCES.glob("*.flac"))]
    assert len(turns) == 6
    for name in ("range_octaves", "rate_octaves"):
        assert abs(float(np.median([of(turn, name) for turn in turns]))) < 0.02
    assert (SPREAD_AT_BIRTH, SYLLABLES_AT_BIRTH) == (0.356, 3.51)


@pytest.mark.parametrize("name", ["sonnet_en_f", "austen_en_m"])
def test_a_louder_turn_is_louder_and_nothing_else(name: str) -> None:
    samples, rate = read(RECORDINGS / f"{name}.flac")
    soft, loud = turn_of(samples, rate), turn_of(samples * np.float32(2**0.5), rate)
    assert abs(of(loud, "level_db") - of(soft, "level_db") - 3.01) < 0.3
    for same in ("register_semitones", "range_octaves", "rate_octaves"):
        assert abs(of(loud, same) - of(soft, same)) < 0.1, same


def test_a_turn_played_faster_is_higher_and_faster_by_as_much() -> None:
    """The same samples at another rate: all of it moves by 2 semitones, a sixth of an octave."""
    samples, rate = read(RECORDINGS / "sonnet_en_f.flac")
    usual, fast = turn_of(samples, rate), turn_of(samples, round(rate * 2 ** (2 / 12)))
    moved = of(fast, "register_semitones") - of(usual, "register_semitones")
    assert abs(moved - 2) < 0.2
    assert abs(of(fast, "rate_octaves") - of(usual, "rate_octaves") - 2 / 12) < 0.15
    assert abs(of(fast, "range_octaves") - of(usual, "range_octaves")) < 0.2


def test_speech_at_several_rates_is_heard_in_that_order_and_nearly_by_as_much() -> None:
    with open_source("espeak", None) as source:
        sounds = [np.concatenate(list(source.speak(TEXT, r))) for r in (0.7, 0.85, 1.0, 1.15, 1.3)]
        heard = [of(turn_of(sound, source.sample_rate), "rate_octaves") for sound in sounds]
    assert all(later > earlier for earlier, later in pairwise(heard))
    wanted = np.log2(len(sounds[0]) / len(sounds[-1]))
    assert 0.5 * wanted < heard[-1] - heard[0] < 1.2 * wanted


def test_syllables_are_found_as_evenly_in_every_sentence() -> None:
    """Of those counted by hand in `script.txt` and README.md; fewer are found, as many in each."""
    said = [14, 20, 19, 20, 20, 18, 18, 30, 21, 20, 14, 15]
    names = ("kennedy_en_m", "austen_en_m", "sonnet_en_f", "sonnet_2_en_f")
    names += ("arctic_slt_en_f", "arctic_awb_en_m")
    files = sorted(REFERENCES.glob("*.flac")) + [RECORDINGS / f"{name}.flac" for name in names]
    turns = [turn_of(*read(file)) for file in files]
    found = [t.seconds * SYLLABLES_AT_BIRTH * 2 ** of(t, "rate_octaves") for t in turns]
    assert 0.75 < sum(found) / sum(said) < 1
    assert np.std(np.log2(np.divide(found, said))) < 0.2


def test_what_is_held_does_not_grow_with_the_number_of_blocks() -> None:
    listener = Listener(16_000)
    for _ in range(16_000):
        listener.hear(np.zeros(1, np.float32))
    assert len(listener._heard) == 100


def test_what_cannot_be_measured_is_none() -> None:
    samples, rate = read(RECORDINGS / "sonnet_en_f.flac")
    listener = Listener(rate)
    assert listener.end_turn() is None
    listener.hear(np.zeros(2 * rate, np.float32))
    assert listener.end_turn() is None
    short = turn_of(samples[rate : 2 * rate], rate)
    assert (short.range_octaves, short.rate_octaves) == (None, None)
    whisper = np.random.default_rng(1).normal(0, 1, len(samples)).astype(np.float32)
    envelope = np.abs(np.convolve(np.abs(samples), np.ones(400) / 400, "same")).astype(np.float32)
    listener.hear(whisper * envelope)
    turn = listener.end_turn()
    assert turn is None or turn.register_semitones is None


def test_a_turn_stands_for_itself_and_holds_no_more_than_its_longest() -> None:
    samples, rate = read(RECORDINGS / "sonnet_en_f.flac")
    listener = Listener(rate)
    listener.hear(samples)
    first = listener.end_turn()
    pause = np.zeros(rate, np.float32)
    for block in (pause, samples, pause):
        listener.hear(block)
    second = listener.end_turn()
    assert first is not None
    assert second is not None
    assert abs(of(second, "register_semitones") - of(first, "register_semitones")) < 0.2
    for _ in range(round(1.2 * LONGEST_S * rate / len(samples))):
        listener.hear(samples)
    longest = listener.end_turn()
    assert longest is not None
    assert longest.seconds <= LONGEST_S


def test_what_is_no_sound_is_told_or_heard_as_silence() -> None:
    with pytest.raises(SettingError):
        Listener(7_999)
    listener = Listener(16_000)
    for block in (np.zeros(10), np.zeros((2, 10), np.float32), [0.0]):
        with pytest.raises(StreamError) as caught:
            listener.hear(block)  # type: ignore[arg-type]
        assert caught.value.code == "wrong_array"
    listener.hear(np.full(32_000, np.nan, np.float32))
    assert listener.end_turn() is None
