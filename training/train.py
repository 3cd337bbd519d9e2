"""Trains the converter on the pairs of a cache.

    python -m training.train --cache DIR --run NAME --steps 8000

Goes on from the last checkpoint of the run, exactly: the batches follow from the seed and the step.
Resumed or not, on a processor or a GPU, the command is the same.
"""

import argparse
import copy
import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from persona_voice.model.network import ConverterNetwork, NetworkConfig
from training.data import CropConfig, Crops, Pairs
from training.synthesis import Synthesis

RESOLUTIONS = (2048, 1024, 512, 256)
# Below this amplitude of a spectrogram (of Hann frames of unit sum) nobody hears a difference.
AUDIBLE = 3e-5
HELD_OUT_PAIRS = 8
SEED = 7


def spectrogram(x: Tensor, size: int) -> Tensor:
    window = torch.hann_window(size, device=x.device)
    s = torch.stft(x, size, size // 4, window=window / window.sum(), center=True, return_complex=True)
    return (s.real**2 + s.imag**2 + 1e-12).sqrt()


def spectral_loss(y: Tensor, target: Tensor) -> Tensor:
    """Mean over resolutions of the log-amplitude difference and the share of amplitude missed."""
    total = y.new_zeros(())
    for size in RESOLUTIONS:
        a, b = spectrogram(y, size), spectrogram(target, size)
        log = (torch.log(a + AUDIBLE) - torch.log(b + AUDIBLE)).abs().mean()
        share = (a - b).norm() / (b.norm() + 1e-3)
        total = total + log + share
    return total / len(RESOLUTIONS)


class Trainer:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(SEED)
        self.config = NetworkConfig()
        self.network = ConverterNetwork(self.config).to(self.device)
        self.average = copy.deepcopy(self.network)
        self.synthesis = Synthesis().to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        self.step = 0
        self.file = options.cache / "runs" / f"{options.run}.pt"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if self.file.exists():
            self.restore()

    def restore(self) -> None:
        saved = torch.load(self.file, map_location=self.device, weights_only=False)
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]
        print(f"going on from step {self.step}", flush=True)

    def save(self) -> None:
        part = self.file.with_suffix(".part")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "config": asdict(self.config),
            },
            part,
        )
        part.rename(self.file)

    def rate(self) -> float:
        """Warm-up over 200 steps, then half a cosine down to 3 %."""
        done = min(self.step / self.options.steps, 1.0)
        return self.options.rate * min(self.step / 200, 1.0) * (
            0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * done))
        )

    def train_step(self, mode: str, mel: Tensor, target: Tensor, pulse: Tensor, crop: CropConfig) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        state = tuple(s.to(self.device) for s in self.network.start(mel.shape[0]))
        envelopes, _ = self.network(mel, state, mode)
        generator = torch.Generator().manual_seed(SEED * 1_000_003 + self.step)
        noise = torch.randn(pulse.shape, generator=generator).to(self.device)
        y = self.synthesis(envelopes[:, crop.warm_frames :], pulse, noise)
        loss = spectral_loss(y[:, 720:], target[:, 720:])  # the first filters ring from nothing
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        keep = min(0.999, 1 - 1 / (self.step + 10))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        self.step += 1
        return float(loss.detach())

    def run(self) -> None:
        options, crop = self.options, CropConfig()
        pairs = Pairs(options.cache / "pairs", HELD_OUT_PAIRS)
        print(f"{len(pairs.items)} pairs, {pairs.seconds / 60:.1f} min", flush=True)
        heads = {"live": self.config.live_lookahead, "studio": self.config.studio_lookahead}
        crops = Crops(pairs, crop, options.batch, SEED, self.step, heads)
        loader = torch.utils.data.DataLoader(
            crops, batch_size=None, num_workers=options.workers, prefetch_factor=4 if options.workers else None
        )
        started, losses = time.monotonic(), {"live": [], "studio": []}
        first = self.step
        for mode, mel, target, pulse in loader:
            if self.step >= options.steps:
                break
            tensors = (t.to(self.device) for t in (mel, target, pulse))
            losses[mode].append(self.train_step(mode, *tensors, crop))
            if self.step % 100 == 0:
                pace = (self.step - first) / (time.monotonic() - started)
                means = ", ".join(f"{m} {sum(v[-75:]) / max(len(v[-75:]), 1):.4f}" for m, v in losses.items())
                left = (options.steps - self.step) / pace / 60
                print(f"step {self.step}/{options.steps}: {means}; {pace:.2f} steps/s, {left:.0f} min left", flush=True)
            if self.step % 500 == 0:
                self.save()
        self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--run", default="first")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    Trainer(options).run()


if __name__ == "__main__":
    main()
