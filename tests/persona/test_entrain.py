"""Entrainment: part of the way, by small steps, within the budgets of a turn."""

from dataclasses import replace

import numpy as np
import pytest

from persona_voice.errors import SettingError
from persona_voice.persona.entrain import PART, Leaning, Turn, entrain
from persona_voice.persona.limits import BUDGETS, within_life
from persona_voice.persona.state import MANNER, Manner

USUAL = Turn(600.0, -20.0, 0.0, 0.0, -30.0)
FEATURES = ("register_semitones", "range_octaves", "rate_octaves", "level_db")


def after(turns: list[Turn], grown: Manner = Manner()) -> Leaning:  # noqa: B008  # a frozen value
    kept = Leaning()
    for turn in turns:
        kept = entrain(kept, turn, grown)
    return kept


def test_a_listener_who_speaks_as_always_and_as_she_does_moves_nothing() -> None:
    assert after([USUAL] * 5).lean == Manner()


def test_she_goes_part_of_the_way_and_stays_there() -> None:
    other = Turn(10.0, -18.0, 0.4, -0.1, -33.0)
    lean = after([USUAL] + [other] * 5).lean
    wanted = [PART * d for d in (2.0, 0.4, -0.1, -3.0)]
    # Pitch and level a little less: 50 s of the new are by now in what is usual.
    np.testing.assert_allclose([getattr(lean, n) for n in FEATURES], wanted, rtol=0.1)
    assert (lean.breath_db, lean.tilt_db) == (0.0, 0.0)


def test_what_could_not_be_measured_stays() -> None:
    kept = after([USUAL, Turn(10.0, -18.0, 0.4, -0.1, -33.0)])
    assert entrain(kept, Turn(10.0), Manner()) == replace(kept, talked_s=kept.talked_s + 10)
    assert entrain(kept, Turn(0.0, 50.0, 1.0, 1.0, 1.0), Manner()) == kept


def test_a_short_turn_counts_less() -> None:
    def lean(seconds: float) -> float:
        return after([USUAL, Turn(seconds, range_octaves=0.4)]).lean.range_octaves

    assert lean(1.0) == pytest.approx(lean(10.0) / 10)
    assert lean(100.0) == lean(10.0)


def test_one_turn_is_at_most_one_noticeable_step_and_a_turn_s_budget_holds_for_any_listener() -> (
    None
):
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = 10 ** rng.uniform(-1, 3, 4)
        grown = within_life(Manner(*rng.normal(0, 1, len(MANNER))))
        kept = Leaning()
        for _ in range(12):
            before = kept
            turn = Turn(float(rng.exponential(20)), *(rng.normal(0, 1, 4) * size).tolist())
            kept = entrain(kept, turn, grown)
            for name in FEATURES:
                lean, was = getattr(kept.lean, name), getattr(before.lean, name)
                assert abs(lean - was) <= BUDGETS[name].noticeable + 1e-12
                low, high = BUDGETS[name].turn
                assert low - 1e-12 <= getattr(grown, name) + lean <= high + 1e-12


def test_the_same_turns_give_the_same_leaning() -> None:
    turns = [USUAL, Turn(3.0, -18.0, 0.4, None, -33.0)] * 3
    assert after(turns) == after([replace(turn) for turn in turns])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"seconds": -1.0}, "a turn's seconds must be 0 or more, got -1.0"),
        ({"seconds": 1.0, "level_db": float("-inf")}, "a turn's level_db must be finite, got -inf"),
    ],
)
def test_a_turn_that_cannot_have_been_is_refused(values: dict[str, float], text: str) -> None:
    with pytest.raises(SettingError) as caught:
        Turn(**values)
    assert (caught.value.code, str(caught.value)) == ("out_of_range", text)
