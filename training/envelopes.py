"""What the network is to answer: the target's harmonic and noise envelopes, by WORLD.

    python -m training.envelopes --cache DIR [--shard 0/2]

For each pair ``DIR/envelopes/NNNNN.npy``, float16 ``[moments, 2, 80]``: natural logarithms of amplitude
in the vocoder's bands, for excitations of unit power.

CheapTrick (Morise 2015) gives the envelope, D4C (Morise 2016) its aperiodic share. By these she would be
recognised less than she is: the peaks are rounded, and beside a voice D4C hears more noise than there is.
So both are then fitted, by the vocoder with gradients, to what is heard of the target.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from persona_voice.converter import BANDS, band_centres_hz
from persona_voice.model.network import ENVELOPE_CEILING, ENVELOPE_FLOOR
from training.data import made_by, over_unvoiced, segment
from training.learning import cosine
from training.shard import shard
from training.synthesis import RATE, Synthesis, pulses
from training.train import spectrogram
from training.whole import whole

# The quieter of the two parts is not followed further below the louder than this, in nepers.
DEPTH = 4.5
# Of the fit: what it changes is smooth over as many moments and as many bands (deviations of a Gaussian), so that
# it does not follow single harmonics, nor one realisation of noise.
SMOOTH, REACH = (0.5, 0.8), 4
STEPS, RATE_OF_STEPS, LAST_RATE = 32, 0.25, 0.05
# The size of spectrum that the fit hears: four periods, since in one of two it would hear where the pulses lie.
SIZE = 512
# The power below which nobody hears a difference.
AUDIBLE_POWER = 1e-9
SEED = 3


def band_weights(bins: int) -> np.ndarray:
    """Triangles of unit sum between the neighbours' centres, ``[bins, 80]``."""
    edges = np.concatenate([[0.0], band_centres_hz(), [RATE / 2]])
    f = np.linspace(0, RATE / 2, bins)[:, None]
    up = (f - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - f) / np.diff(edges)[1:]
    triangles = np.clip(np.minimum(up, down), 0, None)
    return triangles / triangles.sum(0)


def envelopes(samples: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Of 24 kHz samples whose F0 (0 unvoiced) is known every 10 ms: ``[len(f0), 2, 80]``."""
    import pyworld

    x = samples.astype(np.float64)
    times = np.arange(len(f0)) * 0.01
    power = pyworld.cheaptrick(x, f0.astype(np.float64), times, RATE)
    share = pyworld.d4c(x, f0.astype(np.float64), times, RATE) ** 2
    weights = band_weights(power.shape[1])
    noise = (power * share) @ weights
    harmonic = (power * (1 - share)) @ weights
    harmonic[f0 <= 0] = 0
    both = np.stack([harmonic, noise], axis=1)
    floor = both.sum(1, keepdims=True) * np.exp(-2 * DEPTH)
    return 0.5 * np.log(np.maximum(both, floor) + 1e-13)


class Fit:
    """Of envelopes to the sound that they were found of."""

    def __init__(self) -> None:
        self.synthesis = Synthesis()
        self.weights = torch.from_numpy(band_weights(SIZE // 2 + 1)).float()
        moments, bands = (torch.arange(-REACH, REACH + 1) / smooth for smooth in SMOOTH)
        kernel = torch.exp(-0.5 * (moments[:, None] ** 2 + bands[None] ** 2))
        self.kernel = (kernel / kernel.sum())[None, None]

    def bands(self, sound: Tensor) -> Tensor:
        power = spectrogram(sound, SIZE)[0].square()
        return torch.log(self.weights.T @ power + AUDIBLE_POWER)

    def __call__(self, samples: np.ndarray, f0: np.ndarray, found: np.ndarray) -> np.ndarray:
        """``found`` for the same moments as ``f0``, and as it is then."""
        pulse = torch.from_numpy(pulses(over_unvoiced(f0), 0.0))[None]
        sound = segment(samples, 0, pulse.shape[1]).astype(np.float32)
        wanted = self.bands(torch.from_numpy(sound)[None])
        start = torch.from_numpy(found.astype(np.float32))
        change = torch.zeros_like(start, requires_grad=True)
        optimizer = torch.optim.Adam([change], betas=(0.8, 0.95))
        generator = torch.Generator().manual_seed(SEED)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = RATE_OF_STEPS * cosine(step / STEPS, LAST_RATE)
            y = self.synthesis(
                self.changed(start, change)[None],
                pulse,
                torch.randn(pulse.shape, generator=generator),
            )
            off = (self.bands(y) - wanted).abs().mean()
            optimizer.zero_grad()
            off.backward()
            optimizer.step()
        with torch.no_grad():
            return self.changed(start, change).numpy()

    def changed(self, start: Tensor, change: Tensor) -> Tensor:
        """``[moments, 2, 80]``"""
        smooth = torch.conv2d(change.transpose(0, 1)[:, None], self.kernel, padding=REACH)
        both = start + smooth[:, 0].transpose(0, 1)
        return both.clamp(ENVELOPE_FLOOR, ENVELOPE_CEILING)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--shard", type=shard, default="0/1", help="K/N: every N-th pair")
    options = parser.parse_args()
    fit_by = f"smooth {SMOOTH}, spectra {SIZE}, steps {STEPS}"
    folder = made_by(options.cache / "envelopes", fit_by)
    torch.set_num_threads(1)
    fit = Fit()
    files = sorted((options.cache / "pairs").glob("*.npz"))[options.shard]
    for file in files:
        out = folder / f"{file.stem}.npy"
        if out.exists():
            continue
        with np.load(file) as arrays:
            target, f0 = arrays["target"], arrays["f0"]
        answer = fit(target, f0, envelopes(target / 32768.0, f0))
        assert answer.shape[1:] == (2, BANDS)
        with whole(out) as opened:
            np.save(opened, answer.astype(np.float16))
        print(f"envelopes {file.stem}", flush=True)


if __name__ == "__main__":
    main()
