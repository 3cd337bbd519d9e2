"""What lies between a speaker and us: noise, or a telephone."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.signal

from benches.sources import STREAM_RATE, Samples

TELEPHONE_HZ, TELEPHONE_NOISE_DB = (300, 3400), -20.0
# Speech is what is less than this below the loudest 10 ms.
ACTIVE_DB = 40
LOWEST_HZ = 20.0

Power = npt.NDArray[np.float64]


def active_power(samples: Samples) -> float:
    """Mean square of what is spoken."""
    hop = STREAM_RATE // 100
    whole = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(np.float64)
    power = (whole**2).mean(1)
    return float(power[power > power.max() * 10 ** (-ACTIVE_DB / 10)].mean())


def coloured(length: int, octave_db: float, rng: np.random.Generator) -> Samples:
    """Noise of unit power: -3 dB an octave is pink, -6 brown."""
    bins = np.fft.rfft(rng.standard_normal(length))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / STREAM_RATE), LOWEST_HZ))
    made = np.fft.irfft(bins * 10 ** (octave_db * (octaves - octaves[-1]) / 20), length)
    return np.asarray(made / np.sqrt((made**2).mean()), np.float32)


def noisy(samples: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    """With pink noise so far below what is spoken."""
    level = np.float32(np.sqrt(active_power(samples)) * 10 ** (-snr_db / 20))
    return samples + level * coloured(len(samples), -3.0, rng)


def telephone(samples: Samples, rng: np.random.Generator) -> Samples:
    band = scipy.signal.butter(4, TELEPHONE_HZ, "bandpass", fs=STREAM_RATE, output="sos")
    heard = scipy.signal.sosfilt(band, samples)
    noise = scipy.signal.sosfilt(band, rng.standard_normal(len(samples)))
    gain = 10 ** (TELEPHONE_NOISE_DB / 20) * np.sqrt((heard**2).mean() / (noise**2).mean())
    return (heard + gain * noise).astype(np.float32)


CONDITIONS: dict[str, Callable[[Samples, np.random.Generator], Samples]] = {
    "noise 20 dB": lambda samples, rng: noisy(samples, 20, rng),
    "noise 10 dB": lambda samples, rng: noisy(samples, 10, rng),
    "noise 5 dB": lambda samples, rng: noisy(samples, 5, rng),
    "telephone": telephone,
}
