"""Noise is as loud as stated, and of the colour stated; a telephone keeps its band."""

import numpy as np
import pytest
import scipy.signal

from benches.conditions import active_power, coloured, noisy, telephone
from benches.sources import STREAM_RATE


def speech_like(pause: int) -> np.ndarray:
    tone = 0.3 * np.sin(np.arange(2 * STREAM_RATE) / 20)
    return np.concatenate([tone, np.zeros(pause)]).astype(np.float32)


def test_pauses_do_not_count_as_speech() -> None:
    whole, half = (active_power(speech_like(n)) for n in (0, 2 * STREAM_RATE))
    assert half == pytest.approx(whole)
    assert whole == pytest.approx(0.3**2 / 2, rel=0.01)


@pytest.mark.parametrize("snr_db", [20, 5])
def test_noise_lies_as_far_below_speech_as_asked(snr_db: float) -> None:
    samples = speech_like(STREAM_RATE)
    noise = (noisy(samples, snr_db, np.random.default_rng(1)) - samples).astype(np.float64)
    got = 10 * np.log10(active_power(samples) / (noise**2).mean())
    assert got == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize("octave_db", [0.0, -3.0, -6.0])
def test_noise_falls_by_so_much_an_octave(octave_db: float) -> None:
    noise = coloured(20 * STREAM_RATE, octave_db, np.random.default_rng(2))
    hz, power = scipy.signal.welch(noise, STREAM_RATE, nperseg=4096)
    of = [10 * np.log10(power[(hz >= f) & (hz < 1.1 * f)].mean()) for f in (500, 1000, 2000, 4000)]
    assert np.diff(of) == pytest.approx(octave_db, abs=0.4)


def test_a_telephone_lets_neither_the_low_nor_the_high_through() -> None:
    rng = np.random.default_rng(3)
    heard = telephone(rng.standard_normal(4 * STREAM_RATE).astype(np.float32), rng)
    hz, power = scipy.signal.welch(heard, STREAM_RATE, nperseg=4096)
    level = 10 * np.log10(power / power[(hz > 500) & (hz < 3000)].mean())
    assert level[(hz > 0) & (hz < 100)].max() < -30
    assert level[hz > 8000].max() < -30
