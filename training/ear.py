"""An ear for the end of the converter's training: what Whisper hears in her sound, and what of it is words.

    python -m training.ear --cache DIR --models DIR [--threads 1]

`training.content` of a source tells who speaks, too. From pairs it is known what becomes of it when the
persona says the same: `Said` keeps the directions in which her content follows from the source's (ridge
regression), those first that vary most against what does not follow, as linear discriminants do (Fisher 1936).
Along them a difference is one of words. Writes ``DIR/runs/said.npz``.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy.linalg
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from training.content import WIDTH, Content
from training.data import HOP, Pairs, any_gain, segment
from training.learning import device
from training.synthesis import RATE, Synthesis, pulses
from training.train import HELD_OUT_PAIRS
from training.whole import whole

# 25 ms, whose bins lie 40 Hz apart as in 400 samples at 16 kHz, by which Whisper and Resemblyzer hear.
WINDOW = RATE // 40
THEIR_WINDOW, THEIR_BINS = 400, 201
# Directions that are kept, and content frames at each end of a crop that hear silence beyond it.
DIRECTIONS, EDGE = 128, 6
# Moments of a crop that is learnt from.
MOMENTS = 159
# Squares of the regression's weights, against the content's own (of unit variance); and what is added to the
# part that does not follow, of its mean.
RIDGE, FLOOR = 0.02, 1e-4
SEED = 5


def power_as_at_16_khz(sound: Tensor, window: Tensor) -> Tensor:
    """Of 24 kHz sound ``[B, samples]`` and a window of `WINDOW`: ``[B, THEIR_BINS, hops]``, every 10 ms."""
    s = torch.stft(sound, WINDOW, HOP, window=window, return_complex=True)
    s = s[:, :THEIR_BINS] * (THEIR_WINDOW / WINDOW)
    return s.real**2 + s.imag**2


class Ear(nn.Module):
    """24 kHz sound ``[B, samples]`` to content ``[B, frames, WIDTH]`` every 20 ms, with gradients."""

    filters: Tensor
    window: Tensor

    def __init__(self, models: Path) -> None:
        super().__init__()
        self.content = Content(models)
        self.register_buffer("filters", torch.from_numpy(self.content.extractor.mel_filters))
        self.register_buffer("window", torch.hann_window(WINDOW))

    def forward(self, sound: Tensor) -> Tensor:
        return layer_norm(self.content.encode(self.mel(sound)), (WIDTH,))

    def mel(self, sound: Tensor) -> Tensor:
        """As Whisper's own, ``[B, 80, hops]``."""
        power = power_as_at_16_khz(sound, self.window)[..., :-1]
        mel = torch.log10((self.filters @ power).clamp(min=1e-10))
        loudest = mel.detach().amax((1, 2), keepdim=True)
        return (torch.maximum(mel, loudest - 8) + 4) / 4


@dataclass(frozen=True)
class Said:
    """Content to what is said in it, ``[..., DIRECTIONS]``; what cannot be known of hers has variance 1."""

    source_mean: Tensor
    source_ways: Tensor
    her_mean: Tensor
    her_ways: Tensor

    def by_her(self, content: Tensor) -> Tensor:
        return (content - self.her_mean) @ self.her_ways

    def by_others(self, content: Tensor) -> Tensor:
        """What she would be heard to say, saying the same."""
        return (content - self.source_mean) @ self.source_ways


def fitted(source: np.ndarray, hers: np.ndarray) -> tuple[Said, np.ndarray]:
    """From content ``[frames, WIDTH]`` of both, frame by frame the same words; and of each direction, by how much more
    it varies than what cannot be known of it."""
    means = source.mean(0), hers.mean(0)
    x, y = (of - mean for of, mean in zip((source, hers), means, strict=True))
    count, width = x.shape
    regression = np.linalg.solve(x.T @ x + count * RIDGE * np.eye(width), x.T @ y)
    known = x @ regression
    unknown = np.cov((y - known).T, bias=True)
    unknown += FLOOR * np.trace(unknown) / width * np.eye(width)
    ratio, ways = scipy.linalg.eigh(known.T @ known / count, unknown)
    ways = ways[:, ::-1][:, :DIRECTIONS]
    arrays = (means[0], regression @ ways, means[1], ways)
    return Said(*(torch.from_numpy(np.ascontiguousarray(of, np.float32)) for of in arrays)), ratio[
        ::-1
    ][:DIRECTIONS]


@torch.inference_mode()
def heard(pairs: Pairs, ear: Ear, synthesis: Synthesis) -> tuple[np.ndarray, np.ndarray]:
    """Content of the sources of pairs and of her own sound, and beside each that of her envelopes by the vocoder."""
    rng = np.random.default_rng(SEED)
    noise = torch.Generator().manual_seed(SEED)
    sources, hers = [], []
    for item in pairs.items:
        last = len(item["envelopes"]) - MOMENTS
        for first in range(int(rng.integers(40)), last + 1, MOMENTS):
            gain = any_gain(rng)
            cut = slice(first, first + MOMENTS)
            log_amplitudes = item["envelopes"][cut].astype(np.float32) + np.float32(np.log(gain))
            pulse = torch.from_numpy(pulses(item["f0"][cut], float(rng.random())))[None]
            made = synthesis(
                torch.from_numpy(log_amplitudes)[None].to(device()),
                pulse.to(device()),
                torch.randn(pulse.shape, generator=noise).to(device()),
            )
            ends = first * HOP, (first + MOMENTS - 1) * HOP
            sounds = [gain * segment(of, *ends) for of in (*item["sources"], item["target"])]
            given = torch.from_numpy(np.stack(sounds).astype(np.float32)).to(device())
            content = ear(torch.cat([given, made]))[:, EDGE:-EDGE].cpu().numpy()
            sources.extend(content[:-1])
            hers.extend([content[-1]] * (len(content) - 1))
    return np.concatenate(sources).astype(np.float64), np.concatenate(hers).astype(np.float64)


def said_file(cache: Path) -> Path:
    return cache / "runs" / "said.npz"


def load_said(cache: Path) -> Said:
    file = said_file(cache)
    if not file.exists():
        raise SystemExit(f"no {file}; run training.ear first")
    with np.load(file) as arrays:
        return Said(**{name: torch.from_numpy(arrays[name]).to(device()) for name in arrays})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    file = said_file(options.cache)
    if file.exists():
        return
    pairs = Pairs(options.cache, HELD_OUT_PAIRS)
    ear, synthesis = Ear(options.models).to(device()), Synthesis().to(device())
    said, ratio = fitted(*heard(pairs, ear, synthesis))
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as out:
        np.savez(out, **{name: of.numpy() for name, of in asdict(said).items()})
    print(f"{file}: directions vary {ratio[0]:.0f} to {ratio[-1]:.1f} times as much as unknown")


if __name__ == "__main__":
    main()
