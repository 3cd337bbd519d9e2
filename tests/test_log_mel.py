"""The core's log-mel against torchaudio's filters on a plain transform: two ways to one number."""

import numpy as np
import pytest

from persona_voice import _core

WINDOW, FFT = 768, 1024

torchaudio = pytest.importorskip(
    "torchaudio",
    reason="torchaudio does not load here: it needs the torch that it was built for",
    exc_type=(ImportError, OSError),  # OSError: beside a CPU-only torch
)


def plain_log_mel(x: np.ndarray) -> np.ndarray:
    filters = torchaudio.functional.melscale_fbanks(
        FFT // 2 + 1, 0.0, _core.RATE / 2, 80, _core.RATE, norm=None, mel_scale="slaney"
    ).numpy()
    window = np.hanning(WINDOW + 1)[:-1]
    padded = np.concatenate([np.zeros(WINDOW - _core.HOP), x])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:: _core.HOP]
    power = np.abs(np.fft.rfft(frames * window * (2 / window.sum()), FFT)) ** 2
    return np.log(power @ (filters / filters.sum(axis=0)) + 1e-10)


def test_log_mel_is_that_of_torchaudio() -> None:
    rng = np.random.default_rng(6)
    time = np.arange(_core.RATE) / _core.RATE
    x = 0.3 * np.sin(2 * np.pi * (200 + 3000 * time) * time) + 0.01 * rng.standard_normal(len(time))
    got, expected = _core.LogMel().process(x.astype(np.float32)), plain_log_mel(x)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 2e-3  # nepers of power
    # The mutant: 0.1 dB, or a sample, is seen.
    assert np.abs(got + 0.023 - expected).max() > 2e-3
    assert np.abs(got - plain_log_mel(np.roll(x, 1))).max() > 2e-3
