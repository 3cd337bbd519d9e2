"""Designed voices on real speech: each is another, from the first hop on, and the batch agrees."""

from dataclasses import replace

import numpy as np
import pytest
from test_stream_moods import RATE, measured, speech

from persona_voice import _core
from persona_voice.build import open_batch, open_stream
from persona_voice.path.stream import Samples
from persona_voice.persona.persona import load_persona
from persona_voice.persona.state import Manner
from persona_voice.persona.voice import Voice

SAMANTHA = load_persona("samantha")
BLOCK = 240


def spoken_by(voice: Voice, sound: Samples) -> Samples:
    stream = open_stream(replace(SAMANTHA, voice=voice), RATE)
    return stream.process(sound)


def formant_octaves(sound: Samples, like: Samples) -> float:
    """By how many octaves `sound`'s formants lie above those of `like`: where its spectrum, moved
    along the logarithmic half of the mel scale (a band is 4.4 %), fits that of `like` best."""
    one, other = (_core.LogMel().process(of) for of in (sound, like))
    voiced = other.mean(1) > other.mean(1).max() - 5
    a, b = (of[voiced].mean(0)[24:70] for of in (one, other))
    a, b = a - a.mean(), b - b.mean()
    moves = np.arange(-4, 4.01, 0.1)
    bands = np.arange(4, len(b) - 4)
    fits = [np.corrcoef(np.interp(bands + m, np.arange(len(a)), a), b[bands])[0, 1] for m in moves]
    per_band = (27 * np.log(12) / np.log(6.4) + 15) / 81 * np.log2(6.4) / 27
    return float(moves[int(np.argmax(fits))] * per_band)


@pytest.mark.parametrize("tract_octaves", [-0.1, 0.1])
def test_a_longer_tract_lowers_the_formants_and_leaves_the_pitch(tract_octaves: float) -> None:
    sound = speech()
    neutral, made = (
        spoken_by(Voice(tract_octaves=octaves), sound) for octaves in (0, tract_octaves)
    )
    assert abs(formant_octaves(made, neutral) + tract_octaves) < 0.04
    assert abs(measured(made)[0] - measured(neutral)[0]) < 0.1


@pytest.mark.parametrize("register_semitones", [-4.0, 4.0])
def test_a_register_is_heard(register_semitones: float) -> None:
    sound = speech()
    neutral, made = (
        measured(spoken_by(Voice(), sound)),
        measured(spoken_by(Voice(register_semitones=register_semitones), sound)),
    )
    assert abs(made[0] - neutral[0] - register_semitones) < 0.3


def test_a_voice_is_there_from_the_first_hop_on_and_outlasts_a_reset_and_a_manner() -> None:
    voice = Voice(register_semitones=3.0, tilt_db=-1.0)
    stream = open_stream(replace(SAMANTHA, voice=voice), RATE)
    first = stream.process(speech())
    stream.reset()
    assert np.array_equal(stream.process(speech()), first)
    stream.set_manner(Manner(level_db=1.0))
    stream.set_manner(Manner())
    stream.reset()
    assert np.array_equal(stream.process(speech()), first)
    quiet = open_stream(SAMANTHA, RATE)
    quiet.set_manner(Manner(register_semitones=3.0, tilt_db=-1.0))  # comes over 200 ms
    assert not np.array_equal(quiet.process(speech()), first)


def test_a_batch_speaks_in_the_same_voice() -> None:
    persona = replace(SAMANTHA, voice=Voice(-2.0, 0.1, 2.0, -0.5))
    alone, batch = open_stream(persona, RATE), open_batch(2, persona, RATE)
    slot = batch.join()
    manner = Manner(level_db=-1.0)
    batch.set_manner(slot, manner)
    alone.set_manner(manner)
    sound = speech()[: 100 * BLOCK]
    for start in range(0, len(sound), BLOCK):
        block = sound[start : start + BLOCK]
        rows = np.zeros((2, BLOCK), np.float32)
        rows[slot] = block
        assert np.array_equal(batch.process(rows)[slot], alone.process(block))


def test_any_number_of_personas_speak_in_one_process_each_as_alone() -> None:
    voices = [Voice(), Voice(-3.0, 0.1, 1.0, -0.5), Voice(2.0, -0.05, 0.0, 0.5)]
    sound = speech()[: 200 * BLOCK]
    alone = [spoken_by(voice, sound) for voice in voices]
    streams = [open_stream(replace(SAMANTHA, voice=voice), RATE) for voice in voices]
    together: list[list[Samples]] = [[] for _ in voices]
    for start in range(0, len(sound), BLOCK):
        for stream, out in zip(streams, together, strict=True):
            out.append(stream.process(sound[start : start + BLOCK]))
    for of, out in zip(alone, together, strict=True):
        assert np.array_equal(np.concatenate(out), of)
    assert not np.array_equal(alone[0], alone[1])
