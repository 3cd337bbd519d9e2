"""The budgets, and what is kept within them."""

from dataclasses import replace

import pytest

from persona_voice.persona.limits import BUDGETS, life_used, on_top, within_life, within_turn
from persona_voice.persona.state import MANNER, Manner


def test_every_value_of_her_manner_has_a_budget_and_a_lifetime_fits_into_a_turn() -> None:
    assert tuple(BUDGETS) == MANNER
    for budget in BUDGETS.values():
        assert budget.turn[0] < budget.life[0] < 0 < budget.life[1] < budget.turn[1]


def test_a_day_is_at_most_half_of_what_is_noticed() -> None:
    assert all(0 < budget.day <= budget.noticeable / 2 for budget in BUDGETS.values())


# As they are meant: factors, semitones, decibels; the literals lie within, by less than a thousandth.
MEANT = {
    "range_octaves": ((0.7, 1.4), (0.85, 1.2), 1.01),
    "rate_octaves": ((0.9, 1.1), (0.92, 1.08), 1.005),
}


@pytest.mark.parametrize("name", MEANT)
def test_factors_are_rounded_inwards(name: str) -> None:
    turn, life, day = MEANT[name]
    budget = BUDGETS[name]
    for meant, is_now in (
        (turn, budget.turn),
        (life, budget.life),
        ((1 / day, day), (-budget.day, budget.day)),
    ):
        assert meant[0] <= 2 ** is_now[0] < meant[0] * 1.001
        assert meant[1] / 1.001 < 2 ** is_now[1] <= meant[1]


@pytest.mark.parametrize(("within", "which"), [(within_turn, "turn"), (within_life, "life")])
def test_what_is_too_far_comes_to_the_end_and_what_is_within_stays(within, which: str) -> None:
    for name, budget in BUDGETS.items():
        low, high = getattr(budget, which)
        for value, wanted in ((1e9, high), (-1e9, low), (low, low), (high / 3, high / 3)):
            manner = replace(Manner(), **{name: value})
            assert within(manner) == replace(Manner(), **{name: wanted})


def test_a_mood_on_top_takes_what_room_there_is_and_pulls_nothing_back() -> None:
    up, down = Manner(level_db=2.5), Manner(level_db=-2.5)
    assert on_top(up, Manner(level_db=2.0, tilt_db=0.5)) == Manner(level_db=0.5, tilt_db=0.5)
    assert on_top(up, down) == down
    assert on_top(Manner(level_db=-24.0), up) == up
    assert on_top(Manner(level_db=-24.0), down) == Manner()


def test_used_is_a_part_of_either_side() -> None:
    used = life_used(Manner(range_octaves=-0.234, rate_octaves=0.111, level_db=0.25))
    assert list(used.values()) == [0.0, -1.0, 1.0, 0.25, 0.0, 0.0]
