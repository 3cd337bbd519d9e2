"""The verifier's training: made-up speakers are learnt, and what is exported says what was trained."""

from pathlib import Path

import numpy as np
import pytest
import torch

from persona_voice.model.verifier import BANDS, VerifierConfig, normalised
from training import learning, verifier
from training.trials import equal_error_rate
from training.verifier import Crowd, Trained, exported, losses, through_a_line, two_cuts

TINY = VerifierConfig(channels=8, joined=8, attention=4, width=6, dilations=(1, 2))


def folder_of_speakers(folder: Path) -> Path:
    """Each with a rhythm and formants of their own; every twelfth is held out."""
    rng = np.random.default_rng(3)
    for n in range(26):
        rhythm = np.sin(np.arange(1500)[:, None] * (0.05 + 0.03 * n))
        place = np.exp(-((np.arange(BANDS) - 2 * n - 6) ** 2) / 30)
        frames = 6 * rhythm * place + rng.normal(0, 0.3, (1500, BANDS)) - 5
        kind = "real" if n % 2 else "made"
        np.save(folder / f"{kind}_{n:02d}.npy", frames.astype(np.float16))
    return folder


def test_speakers_never_heard_are_told_apart_after_a_few_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "WARM_UP", 5)
    sounds = Crowd(folder_of_speakers(tmp_path))
    assert len(sounds.known) + len(sounds.unseen) == 26
    assert len(sounds.unseen) >= 2
    torch.manual_seed(0)
    network = Trained(TINY, len(sounds.known))
    loss = losses(network, sounds, 12)
    before = float(loss(np.random.default_rng(0), held_out=False).detach())
    learning.learn(network, lambda: loss, tmp_path / "tiny.pt", 40, verifier.RATE, 1)
    network.train()
    after = float(loss(np.random.default_rng(0), held_out=False).detach())
    assert after < 0.7 * before
    same, errors = verifier.band(exported(network, 0.0), sounds)
    assert -1 < same < 1
    assert errors < 0.2


def test_what_is_exported_answers_as_the_trained() -> None:
    torch.manual_seed(1)
    network = Trained(TINY, 3)
    network(torch.randn(20, 200, BANDS) * 2 + 1)  # the norms learn means and deviations
    network.eval()
    frames = np.random.default_rng(4).normal(size=(173, BANDS)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(frames)[None])[0].numpy()
    assert np.abs(exported(network, 0.0).answer(frames) - wanted).max() < 1e-5


def test_two_cuts_of_a_speaker_never_overlap() -> None:
    frames = np.tile(np.arange(1000, dtype=np.float32)[:, None], (1, BANDS))
    for seed in range(20):
        first, second = two_cuts(np.random.default_rng(seed), frames, 300)
        assert first.shape == second.shape == (300, BANDS)
        assert first.max() < second.min()


def test_a_line_changes_the_sound_but_not_its_length() -> None:
    rng = np.random.default_rng(5)
    frames = rng.normal(-6, 2, (200, BANDS)).astype(np.float32)
    changed = []
    for seed in range(20):
        heard = through_a_line(np.random.default_rng(seed), frames)
        assert heard.shape == frames.shape
        assert np.isfinite(normalised(heard)).all()
        changed.append(np.abs(normalised(heard) - normalised(frames)).mean())
    assert np.mean(changed) > 0.2


@pytest.mark.parametrize(
    ("same", "different", "wanted"),
    [
        ([0.9, 0.8], [0.1, 0.2], 0.0),
        ([0.1, 0.2], [0.8, 0.9], 1.0),
        ([0.9, 0.8, 0.7, 0.2], [0.1, 0.1, 0.3, 0.1], 0.25),
    ],
)
def test_equal_errors_are_counted(same: list[float], different: list[float], wanted: float) -> None:
    assert equal_error_rate(same, different) == wanted
