"""The core's ``Vocoder`` for many streams at once, in torch: a hop of each in a step.

    F0 ─────▶ pulses ─┐                          [slots, 8] places, one product with their turns
    counter ▶ noise ──┤ each falling and rising  [slots, 2, 2, 513] spectra
    envelopes ▶ filters, old and new ─ times ─ sum ─ inverse transform ─ overlap ─ mean off ─▶ hop

The filters are one product: the logarithm of a minimum-phase spectrum is a sum over the bands. So is
the filter that takes the mean away: a hop of it, from a hop in and its last two numbers.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from persona_voice._core import HOP, RATE
from persona_voice.converter import BANDS, band_centres_hz
from persona_voice.model.network import ENVELOPE_CEILING, ENVELOPE_FLOOR

# As rust_core/src/vocoder.rs has them, with the reasons.
FFT = 1024
BINS = FFT // 2 + 1
DELAY = 16
FADE_FROM_HZ = 10_000.0
MEAN_POLE = float(np.float32(0.995))
# Shaped F0 never lies above; so many pulses at most fall into a hop.
MAX_F0_HZ = 700.0
PULSES = 8
# splitmix64 (Steele, Lea & Flood 2014).
GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Sounding(NamedTuple):
    """What each stream's vocoder goes on from."""

    phase: Tensor  # [slots], fraction of a period, 2^64 to the turn
    f0_hz: Tensor  # [slots]
    counter: Tensor  # [slots], of the noise
    filters: Tensor  # [slots, 2, 513]: harmonics, noise
    tail: Tensor  # [slots, 784]: what earlier hops still have to say
    mean: Tensor  # [slots, 2]: last sample into and out of the filter that takes the mean away


class Vocoder(nn.Module):
    """Frames of F0 and two envelopes to sound; equal to the core's within 1e-4 of full scale."""

    to_log_filter: Tensor
    gain: Tensor
    ramp: Tensor
    slopes: Tensor
    bins: Tensor
    one: Tensor
    counts: Tensor
    flatten_mean: Tensor

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = wrapped(seed)
        ramp = torch.arange(HOP) / HOP
        counts = [wrapped(GOLDEN * n) for n in range(1, HOP + 1)]
        self.register_buffer("to_log_filter", log_filters())
        self.register_buffer("gain", torch.stack([fade(), torch.ones(BINS)]))
        self.register_buffer("ramp", ramp)
        self.register_buffer("slopes", torch.stack([1 - ramp, ramp]))
        self.register_buffer("bins", torch.arange(BINS).float())
        self.register_buffer("one", torch.ones(()))
        self.register_buffer("counts", torch.tensor(counts))
        self.register_buffer("flatten_mean", mean_filter())

    def start(self, slots: int) -> Sounding:
        """Of streams that have said nothing."""
        zeros, whole = self.ramp.new_zeros, self.counts.new_zeros
        return Sounding(
            whole(slots),
            zeros(slots),
            whole(slots) + self.seed,
            torch.complex(zeros(slots, 2, BINS), zeros(slots, 2, BINS)),
            zeros(slots, FFT - HOP),
            zeros(slots, 2),
        )

    def forward(self, last: Sounding, f0_hz: Tensor, envelopes: Tensor) -> tuple[Sounding, Tensor]:
        """F0 in Hz ``[slots]``, log amplitudes ``[slots, 2, 80]``: a hop ``[slots, 240]``."""
        f0_hz = f0_hz.clamp(0, MAX_F0_HZ)
        phase, pulses = self.pulses(last, f0_hz)
        counter, noise = self.noise(last.counter)
        filters = self.filters(envelopes)
        both = torch.stack([last.filters, filters], 2)
        spectrum = (torch.stack([pulses, noise], 1) * both).sum((1, 2))
        spectrum.imag[:, :: BINS - 1].zero_()
        sound = torch.fft.irfft(spectrum, n=FFT) + nn.functional.pad(last.tail, (0, HOP))
        flat = torch.cat([last.mean, sound[:, :HOP]], 1) @ self.flatten_mean
        mean = torch.stack([sound[:, HOP - 1], flat[:, -1]], 1)
        return Sounding(phase, f0_hz, counter, filters, sound[:, HOP:], mean), flat

    def filters(self, envelopes: Tensor) -> Tensor:
        """Minimum-phase spectra of envelopes ``[slots, 2, 80]``: ``[slots, 2, 513]``."""
        bands = envelopes.clamp(ENVELOPE_FLOOR, ENVELOPE_CEILING)
        size, angle = (bands @ self.to_log_filter).chunk(2, dim=2)
        return torch.polar(size.exp() * self.gain, angle)

    def pulses(self, last: Sounding, f0_hz: Tensor) -> tuple[Tensor, Tensor]:
        """The phase at the end, and the pulses, falling and rising: spectra ``[slots, 2, 513]``."""
        begin = torch.where(last.f0_hz > 0, last.f0_hz, f0_hz)[:, None]
        end = torch.where(f0_hz > 0, f0_hz, begin[:, 0])[:, None]
        hz = begin + (end - begin) * self.ramp
        step = (hz.double() / RATE * 2.0**64).long()
        phases = last.phase[:, None] + step.cumsum(1)
        # Past the turn, as 64 bits without a sign: less is left than was added.
        turned = (phases >= 0) & (phases < step)
        late = phases.double() / step.double()
        at = self.ramp * HOP + (1 - late).float()
        return phases[:, -1], self.placed(turned, at, torch.sqrt(RATE / hz))

    def placed(self, turned: Tensor, at: Tensor, size: Tensor) -> Tensor:
        """Spectra of pulses of that size, as many samples into the hop, where `turned`: ``[slots, 240]``."""
        rank = torch.where(turned, turned.cumsum(1) - 1, PULSES).clamp(max=PULSES)
        none = at.new_zeros(len(at), PULSES + 1)
        at, size = (none.scatter(1, rank, of)[:, :PULSES] for of in (at, size))
        rise = (at / HOP).clamp(0, 1)
        sizes = torch.stack([size * (1 - rise), size * rise], 1)
        angle = (-2 * math.pi / FFT * (at + DELAY))[:, :, None] * self.bins
        turns = torch.view_as_real(torch.polar(self.one, angle)).flatten(2)
        return torch.view_as_complex(torch.bmm(sizes, turns).view(-1, 2, BINS, 2))

    def noise(self, counter: Tensor) -> tuple[Tensor, Tensor]:
        """The counter at the end, and a hop of noise, falling and rising: ``[slots, 2, 513]``."""
        counters = counter[:, None] + self.counts
        z = (counters ^ shifted(counters, 30)) * wrapped(FIRST)
        z = (z ^ shifted(z, 27)) * wrapped(SECOND)
        bits = shifted(z ^ shifted(z, 31), 40)
        noise = (bits.float() / 2**23 - 1) * 3**0.5
        slopes = nn.functional.pad(noise[:, None] * self.slopes, (DELAY, FFT - HOP - DELAY))
        return counters[:, -1], torch.fft.rfft(slopes)


def wrapped(number: int) -> int:
    """The same 64 bits with a sign."""
    number %= 2**64
    return number - 2**64 if number >= 2**63 else number


def shifted(z: Tensor, bits: int) -> Tensor:
    """Down by so many, zeros in from above."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def log_filters() -> Tensor:
    """Bands to the logarithm of their minimum-phase spectrum, ``[80, 1026]``: of size, then angle.

    By folding the cepstrum (Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 13).
    """
    hz = np.arange(BINS) * RATE / FFT
    bands = np.stack([np.interp(hz, band_centres_hz(), row) for row in np.eye(BANDS)])
    fold = np.zeros(FFT)
    fold[1 : FFT // 2] = 2
    fold[[0, FFT // 2]] = 1
    spectra = np.fft.rfft(np.fft.irfft(bands) * fold)
    return torch.from_numpy(np.hstack([spectra.real, spectra.imag])).float()


def fade() -> Tensor:
    """Gain of the harmonics: 1 up to 10 kHz, then half a cosine down to 0 at 12 kHz."""
    hz = torch.arange(BINS, dtype=torch.float64) * RATE / FFT
    part = ((hz - FADE_FROM_HZ) / (RATE / 2 - FADE_FROM_HZ)).clamp(0, 1)
    return (0.5 + 0.5 * torch.cos(math.pi * part)).float()


def mean_filter() -> Tensor:
    """``y[n] = x[n] - x[n-1] + 0.995 y[n-1]`` over a hop: from ``x[-1]``, ``y[-1]``, ``x`` ``[242, 240]``."""
    since = torch.arange(HOP)[None] - torch.arange(-1, HOP)[:, None]
    held = torch.where(since >= 0, MEAN_POLE ** since.double(), 0)
    # Each x counts once as itself, and from the next sample on as the one before.
    of_x = held - nn.functional.pad(held[1:], (0, 0, 0, 1))
    of_x[0] = -held[1]
    return torch.cat([of_x[:1], held[:1], of_x[1:]]).float()
