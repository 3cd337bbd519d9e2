"""Moods: signs as in the literature, sizes within a turn."""

import pytest

from persona_voice.errors import SettingError
from persona_voice.persona.limits import within_turn
from persona_voice.persona.mood import MOODS, affect, mood, plus, times
from persona_voice.persona.state import Manner

FIELDS = list(Manner.__dataclass_fields__)


@pytest.mark.parametrize("name", MOODS)
def test_every_mood_in_full_stays_within_turn(name: str) -> None:
    assert within_turn(MOODS[name]) == MOODS[name] == mood(name)
    assert mood(name, 0.0) == Manner()
    assert mood(name, 0.5) == times(MOODS[name], 0.5)


@pytest.mark.parametrize(
    ("name", "signs"),  # of register, range, rate, level, tilt: Juslin & Laukka (2003), table 11
    [
        ("happy", (1, 1, 1, 1, 1)),
        ("angry", (1, 1, 1, 1, 1)),
        ("anxious", (1, -1, 1, -1, -1)),
        ("sad", (-1, -1, -1, -1, -1)),
        ("empathetic", (-1, -1, -1, -1, -1)),
    ],
)
def test_the_signs_are_those_of_the_literature(name: str, signs: tuple[int, ...]) -> None:
    kept = [of for of in FIELDS if of != "breath_db"]
    assert all(getattr(MOODS[name], of) * sign > 0 for of, sign in zip(kept, signs, strict=True))


def test_feelings_add_up_and_stay_within_turn() -> None:
    assert affect(0, 0) == Manner()
    assert affect(0, 1).level_db > affect(1, 0).level_db > 0 > affect(0, -1).level_db
    for valence in (-1, 1):
        for arousal in (-1, 1):
            of = affect(valence, arousal)
            assert within_turn(of) == of
    assert plus(affect(0, 1), affect(0, -1)) == Manner()


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        (lambda: mood("furious"), "unknown_mood", "mood must be one of neutral, excited, "),
        (lambda: mood("sad", 1.5), "out_of_range", "strength must lie in 0..=1, got 1.5"),
        (lambda: mood("sad", float("nan")), "out_of_range", "strength must lie in 0..=1, got nan"),
        (lambda: affect(-2, 0), "out_of_range", "valence must lie in -1..=1, got -2"),
        (lambda: affect(0, 2), "out_of_range", "arousal must lie in -1..=1, got 2"),
    ],
)
def test_what_is_no_mood_is_refused(call: object, code: str, text: str) -> None:
    with pytest.raises(SettingError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.code == code
    assert str(caught.value).startswith(text)
