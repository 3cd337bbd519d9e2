"""The vocoder of `rust_core/src/vocoder.rs` for training: the same filters, with gradients."""

import numpy as np
import torch
from torch import Tensor

from persona_voice.converter import BANDS, band_centres_hz

HOP = 240
FFT = 1024
BINS = FFT // 2 + 1
RATE = 24_000


def band_to_bin() -> Tensor:
    """``[80, 513]``: each bin's value by straight lines between the band centres, flat outside."""
    f = np.arange(BINS) * RATE / FFT
    centres = band_centres_hz()
    eye = np.eye(BANDS)
    return torch.tensor(np.stack([np.interp(f, centres, row) for row in eye]), dtype=torch.float32)


def pulses(f0: np.ndarray, start: float) -> np.ndarray:
    """A train of band-limited pulses of unit power, ``[(len(f0) - 1) * HOP]``.

    ``f0`` in Hz at every hop, straight lines between; ``start`` is the phase in turns. Pulses are
    placed between samples by a Hann-windowed sinc of 16 taps.
    """
    samples = (len(f0) - 1) * HOP
    at = np.interp(np.arange(samples), np.arange(len(f0)) * HOP, f0)
    phase = start + np.cumsum(at) / RATE
    turns = np.floor(phase)
    n = np.flatnonzero(np.diff(turns, prepend=np.floor(start)) > 0)
    late = (phase[n] - turns[n]) * RATE / at[n]  # samples since the turn, 0 to 1
    taps = np.arange(-7, 9)
    x = taps[None] + late[:, None]
    kernel = np.sinc(x) * (0.5 + 0.5 * np.cos(np.pi * np.clip(x / 8.5, -1, 1)))
    kernel *= np.sqrt(RATE / at[n])[:, None]
    out = np.zeros(samples + 32)
    np.add.at(out, n[:, None] + taps[None] + 16, kernel)
    return out[16 : 16 + samples].astype(np.float32)


class Synthesis(torch.nn.Module):
    """Envelopes and excitation to sound."""

    band_to_bin: Tensor
    rise: Tensor
    fade: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("band_to_bin", band_to_bin())
        self.register_buffer("rise", torch.arange(HOP, dtype=torch.float32) / HOP)
        hz = torch.arange(BINS, dtype=torch.float32) * RATE / FFT
        fade = 0.5 + 0.5 * torch.cos(np.pi * ((hz - 10_000) / 2000).clamp(0, 1))
        self.register_buffer("fade", fade * (hz > 20))  # the core removes the mean

    def minimum_phase(self, log_amplitude: Tensor) -> Tensor:
        """Log amplitude in bands ``[..., 80]`` to the spectrum of its minimum-phase filter."""
        cepstrum = torch.fft.irfft(log_amplitude @ self.band_to_bin, n=FFT)
        folded = torch.cat(
            [cepstrum[..., :1], 2 * cepstrum[..., 1 : FFT // 2], cepstrum[..., FFT // 2 : BINS]], -1
        )
        return torch.exp(torch.fft.rfft(folded, n=FFT))

    def split(self, excitation: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, hops * HOP]`` to each hop's spectra, falling and rising: ``[B, hops, 513]``."""
        hops = excitation.unflatten(1, (-1, HOP))
        return (
            torch.fft.rfft(hops * (1 - self.rise), n=FFT),
            torch.fft.rfft(hops * self.rise, n=FFT),
        )

    def forward(self, envelopes: Tensor, pulse: Tensor, noise: Tensor) -> Tensor:
        """``[B, T, 2, 80]`` at T moments, excitations ``[B, (T-1) * HOP]``; as many samples."""
        filters = self.minimum_phase(envelopes)
        spectrum: Tensor | float = 0.0
        for part, (excitation, gain) in enumerate(((pulse, self.fade), (noise, 1.0))):
            fall, rise = (part_of_it * gain for part_of_it in self.split(excitation))
            spectrum = spectrum + fall * filters[:, :-1, part] + rise * filters[:, 1:, part]
        y = torch.fft.irfft(spectrum, n=FFT)
        hops = y.shape[1]
        y = torch.nn.functional.pad(y, (0, 5 * HOP - FFT)).unflatten(2, (5, HOP))
        out = sum(
            torch.nn.functional.pad(y[:, : hops - k, k], (0, 0, k, 0)) for k in range(min(5, hops))
        )
        return out.flatten(1)
