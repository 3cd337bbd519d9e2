"""How she delivers, on real speech: heard in what comes out, alone and in a batch."""

from dataclasses import replace

import numpy as np
import pytest
from test_stream_moods import RATE, speech

from persona_voice import _core
from persona_voice.build import open_batch, open_stream
from persona_voice.errors import SettingError
from persona_voice.path.stream import Samples
from persona_voice.persona.persona import Delivery, Persona, load_persona

SAMANTHA = load_persona("samantha")


def spoken(persona: Persona) -> Samples:
    return open_stream(persona, RATE).process(speech())


def levels_db(sound: Samples) -> Samples:
    hops = sound[: len(sound) // 240 * 240].reshape(-1, 240)
    return 10 * np.log10((hops**2).mean(1) + 1e-12)


def test_dynamics_are_heard() -> None:
    flat, plain, wide = (
        levels_db(spoken(replace(SAMANTHA, delivery=Delivery(dynamics=dynamics))))
        for dynamics in (0.4, 1.0, 1.6)
    )
    spoken_hops = plain > plain.max() - 30
    spreads = [level[spoken_hops].std() for level in (flat, plain, wide)]
    assert spreads[0] < 0.75 * spreads[1]
    assert spreads[2] > 1.35 * spreads[1]


def test_jitter_is_heard() -> None:
    def rough(jitter: float) -> float:
        frames = _core.F0Tracker().process(
            spoken(replace(SAMANTHA, delivery=Delivery(jitter=jitter)))
        )
        voiced = (frames[1:, 2] > 0.5) & (frames[:-1, 2] > 0.5)
        steps = np.diff(np.log(np.maximum(frames[:, 0], 1)))[voiced]
        return float(np.median(np.abs(steps)))

    assert rough(0.03) > 1.5 * rough(0.0)


def test_a_batch_delivers_as_a_stream_does() -> None:
    persona = replace(
        SAMANTHA, delivery=Delivery(dynamics=1.4, vibrato_semitones=0.3, jitter=0.01, onset_db=3.0)
    )
    alone = spoken(persona)
    batch = open_batch(2, persona, RATE)
    slot = batch.join()
    blocks = np.zeros((2, len(alone)), np.float32)
    blocks[slot] = speech()
    together = batch.process(blocks)[slot]
    assert np.abs(together - alone).max() < 1e-4
    assert np.abs(alone - spoken(SAMANTHA)).max() > 0.01


def test_an_absurd_delivery_is_refused() -> None:
    with pytest.raises(SettingError, match="jitter"):
        open_stream(replace(SAMANTHA, delivery=Delivery(jitter=0.5)), RATE)
