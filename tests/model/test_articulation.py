"""Articulation at the binding: what it refuses, and that nothing is changed in place."""

import numpy as np
import pytest

from persona_voice._core import Articulation
from persona_voice.errors import SettingError


def frames(count: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (-5 + rng.standard_normal((count, width))).astype(np.float32)


def test_frame_by_frame_is_as_all_at_once() -> None:
    own, envelopes = frames(80, 80, 1), frames(80, 160, 2)
    whole = Articulation().process(own, envelopes)
    stage = Articulation()
    parts = [stage.process(own[k : k + 1], envelopes[k : k + 1]) for k in range(80)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.abs(whole - envelopes).max() > 0.1


def test_the_envelopes_are_left_as_they_were() -> None:
    own, envelopes = frames(80, 80, 1), frames(80, 160, 2)
    kept = envelopes.copy()
    stage = Articulation()
    stage.process(own, envelopes)
    assert np.array_equal(envelopes, kept)
    # A clone goes on alone, and reset is as new.
    clone = stage.clone()
    assert np.array_equal(stage.process(own, envelopes), clone.process(own, envelopes))
    stage.reset()
    assert np.array_equal(stage.process(own, envelopes), Articulation().process(own, envelopes))


@pytest.mark.parametrize(
    ("own", "envelopes"), [((3, 80), (2, 160)), ((2, 79), (2, 160)), ((2, 80), (2, 80))]
)
def test_frames_that_do_not_match_are_refused(
    own: tuple[int, int], envelopes: tuple[int, int]
) -> None:
    with pytest.raises(SettingError):
        Articulation().process(np.zeros(own, np.float32), np.zeros(envelopes, np.float32))
