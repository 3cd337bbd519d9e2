"""Trains the converter on the pairs of a cache.

    python -m training.train --cache DIR --run NAME --steps 8000

In parts of one schedule:

* until 80 %: the envelopes of the target, by absolute difference and by what `training.listener` hears;
* from 80 % on, a discriminator of envelope pictures too, since the mean of all likely answers is
  a muffled one;
* in the last 3 % the sound itself as well, through the vocoder, by spectrograms of three sizes.

A third of every batch is pairs, the rest is speech of real people and of other engines, with the
envelopes that the teacher gives it. Only pairs have a target to sound like.

Goes on from the last checkpoint of the run: the batches follow from the seed and the step. On a
processor or a GPU the command is the same.
"""

import argparse
import copy
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from persona_voice.converter import MODES
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import FORMAT, Weights, read_weights
from training import listener
from training.data import CropConfig, Crops, Labelled, Pairs, of_pairs
from training.export import scale_contrast
from training.learning import arguments, cosine, device
from training.muon import Muon
from training.synthesis import HOP, Synthesis
from training.whole import whole

ADVERSARY_FROM, SOUND_FROM = 0.80, 0.97
LISTENER_WEIGHT = 0.8
ADVERSARY_WEIGHT, FEATURE_WEIGHT, SOUND_WEIGHT = 0.06, 0.3, 0.25
RESOLUTIONS = (1024, 512, 256)
# Below this amplitude of a spectrogram (of Hann frames of unit sum) nobody hears a difference.
AUDIBLE = 3e-5
# Log amplitude in a band about which a difference begins to count.
QUIET = -9.0
CRITIC_RATE = 4e-4
# Orthogonal steps bear a larger rate than AdamW's.
HIDDEN_RATE = 2.0
HELD_OUT_PAIRS = 8
SEED = 7


def envelope_loss(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference in nepers, of the sum of both parts and of each, where loud enough.

    ``[B, T, 2, 80]``. The sum is what is heard most; which part carries it is heard as
    breathiness or buzz.
    """

    def total(x: Tensor) -> Tensor:
        return 0.5 * torch.logsumexp(2 * x, dim=2)

    loudness = total(wanted)
    weight = 0.05 + torch.sigmoid(loudness - QUIET)
    whole = ((total(got) - loudness).abs() * weight).mean()
    audible = torch.sigmoid(1.5 * (wanted - loudness.unsqueeze(2) + 2.5)) * weight.unsqueeze(2)
    excess = (got - wanted).relu() * weight.unsqueeze(2)
    return whole + 0.5 * ((got - wanted).abs() * audible).mean() + 0.3 * excess.mean()


def spectrogram(x: Tensor, size: int) -> Tensor:
    window = torch.hann_window(size, device=x.device)
    s = torch.stft(
        x, size, size // 4, window=window / window.sum(), center=True, return_complex=True
    )
    return (s.real**2 + s.imag**2 + 1e-12).sqrt()


def sound_loss(y: Tensor, target: Tensor) -> Tensor:
    """Mean over resolutions of the log-amplitude difference and the share of amplitude missed."""
    total = y.new_zeros(())
    for size in RESOLUTIONS:
        a, b = spectrogram(y, size), spectrogram(target, size)
        log = (torch.log(a + AUDIBLE) - torch.log(b + AUDIBLE)).abs().mean()
        total = total + log + (a - b).norm() / (b.norm() + 1e-3)
    return total / len(RESOLUTIONS)


class Discriminator(nn.Module):
    """Tells predicted envelope pictures from real ones, patch by patch (LSGAN; Mao et al. 2017)."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        sizes = [(2, width, (1, 2)), (width, 2 * width, (2, 2)), (2 * width, 2 * width, (1, 2))]
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList(
            norm(nn.Conv2d(i, o, (5, 5), stride=stride, padding=2)) for i, o, stride in sizes
        )
        self.last = norm(nn.Conv2d(2 * width, 1, (3, 3), padding=1))

    def forward(self, envelopes: Tensor) -> list[Tensor]:
        """``[B, T, 2, 80]`` to the activations of every layer, the verdict last."""
        x = (envelopes.transpose(1, 2) + 7) / 3
        seen = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.2)
            seen.append(x)
        return [*seen, self.last(x)]


class Trainer:
    modes: tuple[str, ...] = MODES
    config_type, network_type = NetworkConfig, ConverterNetwork

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = device()
        torch.manual_seed(SEED)
        self.config = self.config_type()
        self.reach = max(self.config.late(mode) for mode in self.modes)
        self.network = self.network_type(self.config).to(self.device)
        self.average = copy.deepcopy(self.network)
        self.critic = Discriminator().to(self.device)
        self.synthesis = Synthesis().to(self.device)
        self.begin_to_judge()
        up = [layer.up.weight for layer in self.network.layers]
        down = [layer.down.weight for layer in self.network.layers]
        chosen = {id(p) for p in up + down}
        rest = [p for p in self.network.parameters() if id(p) not in chosen]
        self.optimizer = torch.optim.AdamW(
            rest, lr=options.rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        # What goes up is two matrices, for this frame and for the earlier one.
        self.hidden_optimizer = Muon([{"params": up, "taps": 2}, {"params": down}], lr=options.rate)
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(), lr=CRITIC_RATE, betas=(0.5, 0.9)
        )
        self.step = 0
        self.file = options.cache / "runs" / f"{options.run}.pt"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.parts = {
            name: getattr(self, name)
            for name in (
                "network", "average", "critic", "optimizer", "hidden_optimizer", "critic_optimizer",
            )
        }  # fmt: skip
        if self.file.exists():
            self.restore()
        elif options.begin:
            self.begin(options.begin)

    def begin_to_judge(self) -> None:
        self.listener = listener.load(self.options.cache).to(self.device)

    def restore(self) -> None:
        saved = torch.load(self.file, map_location=self.device, weights_only=False)
        if (saved.get("format"), saved["config"]) != (FORMAT, asdict(self.config)):
            raise SystemExit(f"{self.file} is of another network; give another --run")
        for name, part in self.parts.items():
            part.load_state_dict(saved[name])
        self.step = saved["step"]
        print(f"going on from step {self.step}", flush=True)

    def begin(self, weights: Path) -> None:
        """From weights as they were exported, instead of from nothing."""
        network = self.exported(weights)
        if network.config != self.config:
            raise SystemExit(f"{weights} is of another network than is to be trained")
        scale_contrast(network, back=True)
        for each in (self.network, self.average):
            each.load_state_dict(network.state_dict())

    def exported(self, file: Path) -> ConverterNetwork:
        """What exported weights are the network of, with the contrast that they were given."""
        return network_of(self.begun(file))

    def begun(self, file: Path) -> Weights:
        """Exported weights, as this run begins with them."""
        return read_weights(file)

    def save(self) -> None:
        state = {name: thing.state_dict() for name, thing in self.parts.items()}
        with whole(self.file) as out:
            facts = {"step": self.step, "config": asdict(self.config), "format": FORMAT}
            torch.save(state | facts, out)

    def rate(self) -> float:
        """Warm-up over 200 steps, then half a cosine down to 3 %."""
        done = min(self.step / self.options.steps, 1.0)
        return float(self.options.rate * min(self.step / 200, 1.0) * cosine(done, 0.03))

    def slowing(self) -> list[tuple[torch.optim.Optimizer, float]]:
        """What learns at the rate of the step, and at how many times of it."""
        return [(self.optimizer, 1.0), (self.hidden_optimizer, HIDDEN_RATE)]

    def train_step(self, batch: tuple[Tensor, ...], crop: CropConfig) -> dict[str, float]:
        for optimizer, times in self.slowing():
            for group in optimizer.param_groups:
                group["lr"] = self.rate() * times
        loss, said = self.loss(batch, crop)
        for optimizer in (self.optimizer, self.hidden_optimizer):
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in (self.optimizer, self.hidden_optimizer):
            optimizer.step()
        keep = min(0.998, 1 - 1 / (self.step + 10))
        with torch.no_grad():
            for slow, fast in zip(
                self.average.parameters(), self.network.parameters(), strict=True
            ):
                slow.lerp_(fast, 1 - keep)
        self.step += 1
        return said

    def answers(self, mel: Tensor, crop: CropConfig) -> Iterator[tuple[str, Tensor, Tensor, int]]:
        """Of each head what it answers to ``[B, warm + frames, 80]`` for the moments judged, the speakers' own log
        amplitudes at these, and where they begin in the crop."""
        state = tuple(s.to(self.device) for s in self.network.start(mel.shape[0]))
        body, heard, _ = self.network.body(mel, state)
        for mode in self.modes:
            got = self.network.answer(mode, body, heard)[:, crop.warm_frames :]
            own = self.network.own(heard, crop.frames, mode)
            yield mode, got, own, self.reach - self.config.late(mode)

    def dear(self) -> str:
        """Of which head in this step what costs more is asked."""
        return self.modes[self.step % len(self.modes)]

    def loss(self, batch: tuple[Tensor, ...], crop: CropConfig) -> tuple[Tensor, dict[str, float]]:
        mel, wanted, target, pulse = batch
        loss, said, done = mel.new_zeros(()), {}, self.step / self.options.steps
        # The sound is asked of the pairs alone.
        pairs = slice(of_pairs(mel.shape[0]))
        for mode, got, _, start in self.answers(mel, crop):
            right = wanted[:, start : start + crop.frames]
            off = envelope_loss(got, right)
            said[mode] = float(off.detach())
            if mode == self.dear():
                unlike = listener.misheard(self.listener, got, right)
                said["misheard"] = float(unlike.detach())
                off = off + LISTENER_WEIGHT * unlike
                if done >= ADVERSARY_FROM:
                    off = off + self.adversary(got, right[pairs], said)
                if done >= SOUND_FROM:
                    part = slice(start * HOP, (start + crop.frames - 1) * HOP)
                    sound = self.sound(got[pairs], pulse[pairs, part], target[pairs, part], said)
                    off = off + SOUND_WEIGHT * sound
            loss = loss + off
        return loss, said

    def spoken(self, envelopes: Tensor, pulse: Tensor) -> Tensor:
        """By the vocoder, with this step's noise."""
        generator = torch.Generator().manual_seed(SEED * 1_000_003 + self.step)
        noise = torch.randn(pulse.shape, generator=generator).to(self.device)
        y: Tensor = self.synthesis(envelopes, pulse, noise)
        return y

    def sound(self, got: Tensor, pulse: Tensor, target: Tensor, said: dict[str, float]) -> Tensor:
        y = self.spoken(got, pulse)
        off = sound_loss(y[:, 720:], target[:, 720:])  # the first filters ring from nothing
        said["sound"] = float(off.detach())
        return off

    def adversary(self, got: Tensor, wanted: Tensor, said: dict[str, float]) -> Tensor:
        """One step of the critic, and what it costs the network to be found out.

        ``wanted`` are the persona's own envelopes, for the first items of ``got`` alone.
        """
        real, fake = self.critic(wanted)[-1], self.critic(got.detach())[-1]
        verdict = ((real - 1) ** 2).mean() + (fake**2).mean()
        self.critic_optimizer.zero_grad(set_to_none=True)
        verdict.backward()
        self.critic_optimizer.step()
        seen = self.critic(got)
        with torch.no_grad():
            model = self.critic(wanted)
        likeness = sum(
            (a[: len(b)] - b).abs().mean() for a, b in zip(seen[:-1], model[:-1], strict=True)
        )
        found_out = ((seen[-1] - 1) ** 2).mean()
        said["critic"], said["found out"] = float(verdict.detach()), float(found_out.detach())
        return ADVERSARY_WEIGHT * found_out + FEATURE_WEIGHT * likeness

    def run(self) -> None:
        options, crop = self.options, CropConfig()
        pairs, labelled = Pairs(options.cache, HELD_OUT_PAIRS), Labelled(options.cache)
        print(
            f"{len(pairs.items)} pairs, {pairs.seconds / 60:.1f} min; "
            f"labelled, {labelled.seconds / 60:.1f} min",
            flush=True,
        )
        crops = Crops(pairs, labelled, crop, options.batch, options.seed, self.step, self.reach)
        loader = torch.utils.data.DataLoader(
            crops,
            batch_size=None,
            num_workers=options.workers,
            prefetch_factor=4 if options.workers else None,
        )
        started, first = time.monotonic(), self.step
        heard: dict[str, list[float]] = {}
        for batch in loader:
            if self.step >= options.steps:
                break
            said = self.train_step(tuple(t.to(self.device) for t in batch), crop)
            for name, value in said.items():
                heard.setdefault(name, []).append(value)
            if self.step % 100 == 0:
                pace = (self.step - first) / (time.monotonic() - started)
                means = ", ".join(f"{name} {sum(v) / len(v):.4f}" for name, v in heard.items())
                left = (options.steps - self.step) / pace / 60
                print(
                    f"step {self.step}/{options.steps}: {means}; {pace:.2f}/s, {left:.0f} min left",
                    flush=True,
                )
                heard.clear()
            if self.step % 250 == 0:
                self.save()
        self.save()


def run_arguments(about: str | None, steps: int, run: str, rate: float) -> argparse.ArgumentParser:
    """What every program that trains the converter may be told."""
    parser = arguments(about, steps)
    parser.add_argument("--run", default=run)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--workers", type=int, default=1)
    again = (
        "of the batches; with that of the run that --begin comes from, the same crops come again"
    )
    parser.add_argument("--seed", type=int, default=SEED, help=again)
    return parser


def main() -> None:
    parser = run_arguments(__doc__, steps=8000, run="first", rate=1.5e-3)
    parser.add_argument("--begin", type=Path, help="weights to go on from, as exported")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    Trainer(options).run()


if __name__ == "__main__":
    main()
