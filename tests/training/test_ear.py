"""The ear hears the same in the same sound, and tells words from who says them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.content import WIDTH
from training.ear import DIRECTIONS, fitted, load_said

RNG = np.random.default_rng(3)
FRAMES, WORDS = 3000, 200


def test_directions_are_those_of_the_words_and_not_of_the_speaker() -> None:
    words = RNG.standard_normal((FRAMES, WORDS))
    in_source, in_hers = (RNG.standard_normal((WORDS, WIDTH)) / 10 for _ in range(2))
    speaker, chance = RNG.standard_normal((2, FRAMES, WIDTH))
    hers = words @ in_hers + 0.3 * chance + 5.0
    said, ratio = fitted(words @ in_source + 0.1 * speaker - 2.0, hers)
    assert len(ratio) == DIRECTIONS
    assert (np.diff(ratio) <= 0).all()
    assert ratio[-1] > 1

    def off(frames: np.ndarray, others_words: np.ndarray) -> float:
        source = torch.from_numpy((others_words @ in_source - 2.0).astype(np.float32))
        by_her = said.by_her(torch.from_numpy(frames.astype(np.float32)))
        return float((by_her - said.by_others(source)).square().mean())

    same, other = off(hers, words), off(hers, words[::-1])
    assert same == pytest.approx(1.0, abs=0.3), "what cannot be known has variance 1"
    assert other > 3 * same


def test_without_what_pairs_tell_it_is_said_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"run training\.ear first"):
        load_said(tmp_path)
