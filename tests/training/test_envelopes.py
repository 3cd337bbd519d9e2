"""Envelopes are fitted to what is heard of their sound."""

import numpy as np
import torch

from training.envelopes import SIZE, Fit, band_weights
from training.synthesis import HOP, Synthesis, pulses

MOMENTS = 80


def made(envelopes: np.ndarray, f0: np.ndarray) -> torch.Tensor:
    pulse = torch.from_numpy(pulses(f0, 0.3))[None]
    noise = torch.randn(pulse.shape, generator=torch.Generator().manual_seed(8))
    return Synthesis()(torch.from_numpy(envelopes)[None], pulse, noise)


def test_what_was_rounded_off_comes_back() -> None:
    f0 = np.full(MOMENTS, 200.0)
    bands = np.arange(80)
    true = np.full((MOMENTS, 2, 80), -9.0, np.float32)
    true[:, 0] = -5 + 2 * np.cos(2 * np.pi * bands / 16)
    rounded = true.copy()
    rounded[:, 0] = -5 + np.cos(2 * np.pi * bands / 16)
    fit = Fit()
    sound = made(true, f0)[0].numpy()
    samples = np.round(32767 * sound / np.abs(sound).max() / 2).astype(np.int16)
    gain = np.float32(np.log(0.5 / np.abs(sound).max()))
    found = fit(samples, f0, rounded + gain) - gain
    assert found.shape == true.shape
    inside = slice(10, -10)

    def off(of: np.ndarray) -> float:
        return float(np.abs(of - true)[inside, 0, 4:64].mean())

    assert off(found) < 0.6 * off(rounded)


def test_every_band_hears_something() -> None:
    weights = band_weights(SIZE // 2 + 1)
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(0), 1)


def test_what_cannot_be_heard_is_left_alone() -> None:
    still = np.full((MOMENTS, 2, 80), -14.0, np.float32)
    samples = np.zeros((MOMENTS - 1) * HOP, np.int16)
    found = Fit()(samples, np.zeros(MOMENTS), still)
    assert np.isfinite(found).all()
    assert found.max() < -10
