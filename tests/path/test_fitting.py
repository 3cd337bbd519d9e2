"""The fit finds the voice in which a coloured converter sounds as the bare one did."""

from dataclasses import replace

import numpy as np
import pytest

from persona_voice.build import weights_folder
from persona_voice.converter import BANDS, Frames, State
from persona_voice.model.native_converter import load_converter
from persona_voice.path.fitting import _CENTRES_HZ, _OCTAVES, LN_OF_DB, fitted
from persona_voice.path.probes import RATE, SECONDS, probes, spoken
from persona_voice.persona.persona import load_persona
from persona_voice.persona.state import Manner
from persona_voice.persona.voice import DESIGN, Voice

SAMANTHA = load_persona("samantha")
CONVERTER = load_converter(weights_folder() / SAMANTHA.weights, "live")


class Coloured:
    """The converter, and what it answers as if her tract, tilt and breath were others."""

    def __init__(self, voice: Voice) -> None:
        self.lookahead, self._voice = CONVERTER.lookahead, voice

    def start(self) -> State:
        return CONVERTER.start()

    def step(self, state: State, frames: Frames) -> tuple[State, Frames]:
        state, envelopes = CONVERTER.step(state, frames)
        moved = _CENTRES_HZ * 2**self._voice.tract_octaves
        halves = [envelopes[:, :BANDS], envelopes[:, BANDS:]]
        halves = [
            np.array([np.interp(moved, _CENTRES_HZ, row) for row in half]).reshape(-1, BANDS)
            + self._voice.tilt_db * LN_OF_DB * _OCTAVES
            for half in halves
        ]
        halves[1] = halves[1] + self._voice.breath_db * LN_OF_DB
        return state, np.hstack(halves).astype(np.float32)


def test_probes_are_speech_and_keep_their_length() -> None:
    for probe in probes():
        assert 2.5 * RATE < len(probe) < (SECONDS + 0.01) * RATE
        assert np.sqrt(np.mean(probe**2)) > 0.01
    made = spoken(CONVERTER, SAMANTHA, Manner())
    assert [len(of) for of in made] == [len(of) for of in probes()]


@pytest.mark.parametrize("born", [Voice(), Voice(2.0, 0.04, -1.0, 0.3)])
@pytest.mark.parametrize(
    "colour", [Voice(), Voice(tract_octaves=0.05), Voice(tilt_db=-0.6, breath_db=2.0)]
)
def test_what_the_new_converter_does_otherwise_is_taken_back(born: Voice, colour: Voice) -> None:
    found = fitted(CONVERTER, born, Coloured(colour))
    wanted = replace(
        born,
        tract_octaves=born.tract_octaves - colour.tract_octaves,
        tilt_db=born.tilt_db - colour.tilt_db,
        breath_db=born.breath_db - colour.breath_db,
    )
    assert found.voice.register_semitones == born.register_semitones
    assert abs(found.voice.tract_octaves - wanted.tract_octaves) <= 0.01
    assert abs(found.voice.tilt_db - wanted.tilt_db) < 0.1
    assert abs(found.voice.breath_db - wanted.breath_db) < 0.2
    assert found.after_db <= found.before_db
    assert found.after_db < 0.5  # what moving formants there and back blurs


def test_where_nothing_differs_the_voice_stays_to_the_bit() -> None:
    voice = Voice(1.0, 0.03, 0.7, -0.2)
    found = fitted(CONVERTER, voice, CONVERTER)
    assert found.voice == voice
    assert found.before_db < 1e-6


def test_a_fit_never_leaves_the_box() -> None:
    voice = Voice(**{name: most for name, most in DESIGN.items()})
    found = fitted(CONVERTER, voice, Coloured(Voice(tilt_db=-1.0, breath_db=-3.0)))
    assert found.voice.tilt_db == DESIGN["tilt_db"]
    assert found.voice.breath_db == DESIGN["breath_db"]
