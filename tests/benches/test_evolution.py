"""The bench of growth, on a village and a year."""

import numpy as np

from benches.evolution import Settings, against_budgets, entrainment, live, moved

SMALL = Settings(years=1.0, listeners=200)


def test_it_lives_and_the_guarantees_hold_there_too() -> None:
    hostile = live(SMALL, hostile=True, flood=False, at_once=1_000)
    honest = live(SMALL, hostile=False, flood=False)
    assert len(hostile.manners) == SMALL.days + 1
    assert hostile.events > honest.events > 500
    assert hostile.at_once["same"]
    rows = against_budgets(hostile)
    assert max(row["furthest_of_life"] for row in rows.values()) <= 1
    assert max(row["of_day_budget"] for row in rows.values()) <= 1 + 1e-9
    assert 0 < max(moved(hostile, honest).values()) < 0.2
    assert max(moved(honest, honest).values()) == 0


def test_entrainment_converges_on_part_of_the_way() -> None:
    result = entrainment(0, talks=30)
    covered = np.array([list(of.values()) for of in result["covered_after_turn"].values()])
    assert (covered[1:] > 0.2).all()
    assert (covered < 0.4).all()
    assert max(result["largest_turn_step_of_jnd"].values()) <= 1
