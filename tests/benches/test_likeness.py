"""What is said of who speaks, on voices that are directions chosen by hand."""

import numpy as np
import pytest

from benches.likeness import consistency, margins

HERS, ANNA, MAREK = np.eye(3)


def between(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    mixed = (1 - share) * one + share * other
    return mixed / np.linalg.norm(mixed)


def test_outputs_that_are_one_voice_agree_wholly_and_the_odd_one_is_named() -> None:
    same = {"a": HERS, "b": HERS, "c": HERS}
    assert consistency(same)["minimum"] == consistency(same)["mean"] == 1.0
    odd = consistency(same | {"d": between(HERS, ANNA, 0.3)})
    assert odd["minimum"] == pytest.approx(0.7 / np.hypot(0.7, 0.3))
    assert "d" in odd["least_alike"]
    assert odd["mean"] == pytest.approx((3 + 3 * odd["minimum"]) / 6)
    assert consistency({"a": HERS})["mean"] is None


def test_what_leaks_of_a_source_is_told_and_what_all_outputs_share_is_not() -> None:
    sources = {"anna": ANNA, "marek": MAREK}
    clean = margins(sources, {"anna": HERS, "marek": HERS}, HERS)
    assert all(of["leak"] == 0.0 and of["margin_over_nearest"] == 1.0 for of in clean.values())
    # Hers may be somewhat like Anna's by nature: no leak.
    like_anna = between(HERS, ANNA, 0.2)
    shared = margins(sources, {"anna": like_anna, "marek": like_anna}, like_anna)
    assert all(of["leak"] == pytest.approx(0.0) for of in shared.values())
    leaking = margins(sources, {"anna": between(HERS, ANNA, 0.6), "marek": HERS}, HERS)
    assert leaking["anna"]["nearest"] == "anna"
    assert leaking["anna"]["margin_over_nearest"] < 0.0
    assert leaking["anna"]["leak"] == pytest.approx(0.6 / np.hypot(0.4, 0.6))
    assert leaking["marek"]["leak"] == pytest.approx(0.0)


def test_a_source_that_no_judge_could_hear_has_no_leak() -> None:
    assert margins({"anna": ANNA}, {"marek": HERS}, HERS)["marek"]["leak"] is None
