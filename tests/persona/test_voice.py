"""A persona's voice: a point in a small box, and the way between two."""

from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from ledgers import BIRTH_DAY, BORN, event

from persona_voice.errors import SettingError
from persona_voice.persona.event import Kind
from persona_voice.persona.evolve import birth, fold
from persona_voice.persona.life import persona_of
from persona_voice.persona.persona import load_persona
from persona_voice.persona.voice import DESIGN, Voice, apart, between


def any_voice(rng: np.random.Generator) -> Voice:
    return Voice(**{name: most * float(rng.uniform(-1, 1)) for name, most in DESIGN.items()})


def test_the_way_between_two_voices_stays_in_the_box_and_is_even() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        one, other = any_voice(rng), any_voice(rng)
        way = [between(one, other, n / 10) for n in range(11)]
        steps = [apart(a, b) for a, b in pairwise(way)]
        assert np.allclose(steps, apart(one, other) / 10)
        assert np.allclose(astuple(way[0]) + astuple(way[-1]), astuple(one) + astuple(other))


@pytest.mark.parametrize("name", DESIGN)
@pytest.mark.parametrize("value", [float("nan"), 1.01, -1.01])
def test_outside_the_box_there_is_no_voice(name: str, value: float) -> None:
    with pytest.raises(SettingError, match=name):
        Voice(**{name: value * DESIGN[name]})


def test_whom_a_stream_is_opened_for_follows_from_her_ledger() -> None:
    voice = {"breath_db": 1.0, "register_semitones": -2.0, "tilt_db": 0.5, "tract_octaves": 0.1}
    ledger = [
        BORN,
        event(1, 0, Kind.DESIGNED, base="samantha", **voice),
        event(2, 0, Kind.NAMED, name="Iris"),
    ]
    persona = persona_of(fold(ledger, birth(ledger), BIRTH_DAY))
    samantha = load_persona("samantha")
    assert (persona.name, persona.voice, persona.weights) == (
        "Iris",
        Voice(**voice),
        samantha.weights,
    )
