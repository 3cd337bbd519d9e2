"""The vocoder that the network is trained through is the one that it is heard through."""

import numpy as np
import scipy.signal
import torch

from persona_voice import _core
from persona_voice.converter import band_centres_hz
from training.synthesis import HOP, Synthesis, pulses

# The core places a pulse one sample later than the trainer and waits `latency` samples.
LATER = 1
MEAN_POLE = 0.995
HOPS = 80


def snr_db(got: np.ndarray, wanted: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(wanted**2) / np.mean((got - wanted) ** 2)))


def both(part: int) -> tuple[np.ndarray, np.ndarray]:
    """The core's and the trainer's sound of the same moving harmonic envelope."""
    rng = np.random.default_rng(0)
    slope = np.linspace(-2, -9, 80) + 0.7 * np.sin(np.arange(80) / 5)
    envelopes = np.full((HOPS, 2, 80), -16.0)
    envelopes[:, part] = slope + np.cumsum(rng.normal(0, 0.15, (HOPS, 1)), axis=0)
    f0 = 200 * 2 ** np.cumsum(rng.normal(0, 0.02, HOPS))
    frames = np.hstack([f0[:, None], envelopes.reshape(HOPS, 160)]).astype(np.float32)
    vocoder = _core.Vocoder(1)
    core = vocoder.process(frames)[HOP + vocoder.latency :]
    # The core's first hop runs at the first F0, from phase zero.
    pulse = pulses(f0, (HOP * f0[0] / 24_000) % 1)
    with torch.no_grad():
        synthesis = Synthesis()
        synthesis.fade[0] = (
            1.0  # the trainer blanks the mean's bin; here the core's own filter does
        )
        silence = torch.zeros(1, len(pulse))
        trainer = synthesis(
            torch.tensor(envelopes[None], dtype=torch.float32), torch.tensor(pulse)[None], silence
        )[0].numpy()
    # The core takes the mean away with one pole; the trainer has no use for that.
    trainer = scipy.signal.lfilter([1, -1], [1, -MEAN_POLE], trainer)
    return core[5 * HOP :], trainer[5 * HOP : len(core)]


def test_harmonics_are_the_core_vocoders() -> None:
    core, trainer = both(0)
    assert snr_db(core[LATER:], trainer[: len(core) - LATER]) > 30


def test_a_sample_off_would_be_noticed() -> None:
    core, trainer = both(0)
    assert snr_db(core, trainer) < 30
    assert snr_db(core[LATER + 1 :], trainer[: len(core) - LATER - 1]) < 30


def test_noise_of_the_same_envelope_has_the_same_spectrum() -> None:
    envelopes = np.full((800, 2, 80), -16.0, np.float32)
    envelopes[:, 1] = np.linspace(-3, -7, 80)
    frames = np.hstack([np.zeros((800, 1), np.float32), envelopes.reshape(800, 160)])
    core = _core.Vocoder(4).process(frames)[2400:]
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 799 * HOP, generator=generator)
    trainer = Synthesis()(torch.tensor(envelopes)[None], torch.zeros_like(noise), noise)[0].numpy()

    def bands(x: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(x, 1024)[::512] * np.hanning(1024)
        power = np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0)
        return np.array([power[a : a + 32].mean() for a in range(8, 488, 32)])

    difference = 10 * np.log10(bands(core) / bands(trainer[2400:]))
    assert np.abs(difference).max() < 0.7


def test_band_centres_are_those_of_the_features() -> None:
    """A sine at a band's centre is loudest in that band."""
    for band in (5, 20, 40, 60, 78):
        t = np.arange(4800) / 24_000
        tone = (0.5 * np.sin(2 * np.pi * band_centres_hz()[band] * t)).astype(np.float32)
        assert int(_core.LogMel().process(tone)[-1].argmax()) == band


def test_pulses_have_unit_power_at_any_f0() -> None:
    for hz in (70.0, 150.0, 333.0, 600.0):
        train = pulses(np.full(201, hz), 0.25)
        assert abs(10 * np.log10(np.mean(train[2400:-2400] ** 2))) < 0.35
