"""Trains the verifier, which tells who speaks; the converter has no part in it, nor it in the converter's.

    python -m training.verifier --cache DIR [--steps N] [--out FILE]

Fetches and makes all that it learns from (`training.speakers`, `training.crowd`), goes on where it was
stopped, and writes the weights. Half of every batch are real people, half made speakers, two cuts of
each, every cut through another microphone, line and noise. Learnt are the speakers' classes with a
margin (Deng et al. 2019) and which two cuts of the batch belong together (Chung et al. 2020).
"""

import argparse
import itertools
from pathlib import Path
from typing import cast

import numpy as np
import scipy.signal
import torch
from torch import Tensor, nn
from torch.nn import functional

from persona_voice.model.verifier import (
    BANDS,
    DB,
    WEIGHTS,
    Verifier,
    VerifierConfig,
    levels,
    normalised,
    save_verifier,
    similarity,
)
from training import crowd, learning
from training.__main__ import in_shards
from training.models import VOICES, fetch
from training.trials import equal_error_rate

SEED = 20261123
RATE = 2e-3
# Of the classes' loss: how sharp, and by how much the right one must win, in radians.
SCALE, MARGIN = 30.0, 0.15
PAIRS_SCALE = 12.0
CUT_FRAMES = (150, 350)
# Every so many-th speaker is never learnt from.
HELD_OUT_EVERY = 12
UNSEEN_SPEAKERS, UNSEEN_FRAMES = 40, 300
CUTS_EACH = 6


class Trained(nn.Module):
    """The network of `persona_voice.model.verifier` as it learns, and the classes it learns by."""

    def __init__(self, config: VerifierConfig, speakers: int) -> None:
        super().__init__()
        self.config = config
        c, joined = config.channels, config.joined
        self.enter = convolution(BANDS, c, 5, stride=2)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {"mix": convolution(c, c, 1), "over_time": convolution(c, c, 3, dilation)}
            )
            for dilation in config.dilations
        )
        self.join = convolution(c * len(config.dilations), joined, 1)
        self.ask = nn.Conv1d(joined, config.attention, 1)
        self.attend = nn.Conv1d(config.attention, joined, 1)
        self.leave = nn.ModuleDict(
            {
                "before": nn.BatchNorm1d(2 * joined),
                "linear": nn.Linear(2 * joined, config.width),
                "after": nn.BatchNorm1d(config.width, affine=False),
            }
        )
        self.classes = nn.Parameter(torch.randn(speakers, config.width) * 0.1)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames ``[batch, frames, BANDS]`` to embeddings ``[batch, width]`` of length 1."""
        x = torch.relu(self.enter(frames.transpose(1, 2)))
        every = []
        for layer in self.layers:
            parts = cast(nn.ModuleDict, layer)
            x = x + torch.relu(parts["over_time"](torch.relu(parts["mix"](x))))
            every.append(x)
        x = torch.relu(self.join(torch.cat(every, 1)))
        share = torch.softmax(self.attend(torch.tanh(self.ask(x))), 2)
        mean = (share * x).sum(2)
        deviation = ((share * x * x).sum(2) - mean * mean).clamp(min=1e-4).sqrt()
        y = self.leave["before"](torch.cat([mean, deviation], 1))
        return functional.normalize(self.leave["after"](self.leave["linear"](y)), dim=1)


def convolution(
    inward: int, outward: int, taps: int, dilation: int = 1, stride: int = 1
) -> nn.Module:
    reach = taps // 2 * dilation
    return nn.Sequential(
        nn.Conv1d(inward, outward, taps, stride, reach, dilation, bias=False),
        nn.BatchNorm1d(outward),
    )


def exported(network: Trained, same_speaker: float) -> Verifier:
    """As it runs: what normalises is multiplied into the weights."""
    network.eval()
    tensors: dict[str, np.ndarray] = {}

    def put(name: str, weight: Tensor, bias: Tensor) -> None:
        """Weight as torch has it, ``[out, in, taps]``."""
        turned = weight.detach().permute(2, 1, 0).contiguous().numpy()
        tensors[f"{name}.weight"] = turned.astype(np.float32)
        tensors[f"{name}.bias"] = bias.detach().numpy().astype(np.float32)

    def folded(name: str, part: nn.Module) -> None:
        inner, norm = cast(nn.Sequential, part)
        gain, shift = affine(cast(nn.BatchNorm1d, norm))
        put(name, cast(Tensor, inner.weight) * gain[:, None, None], shift)

    folded("enter", network.enter)
    for n, layer in enumerate(network.layers):
        for name, part in cast(nn.ModuleDict, layer).items():
            folded(f"layers.{n}.{name}", part)
    folded("join", network.join)
    put("ask", network.ask.weight, cast(Tensor, network.ask.bias))
    put("attend", network.attend.weight, cast(Tensor, network.attend.bias))
    gain, shift = affine(cast(nn.BatchNorm1d, network.leave["before"]))
    linear = cast(nn.Linear, network.leave["linear"])
    last_gain, last_shift = affine(cast(nn.BatchNorm1d, network.leave["after"]))
    weight = linear.weight * gain * last_gain[:, None]
    put("leave", weight[:, :, None], (linear.weight @ shift + linear.bias) * last_gain + last_shift)
    return Verifier(network.config, tensors, same_speaker)


def affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """What it multiplies by and adds once it is learnt."""
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    gain = 1 / torch.sqrt(variance + norm.eps)
    if norm.affine:
        gain = gain * norm.weight
        return gain, norm.bias - mean * gain
    return gain, -mean * gain


class Crowd:
    """Cuts of speakers: those to learn from, and those never heard."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("*.npy"))
        if not files:
            raise SystemExit(f"no speakers in {folder}")
        people = sorted({person(file) for file in files})
        away = set(people[::HELD_OUT_EVERY])
        self.known = [np.load(file) for file in files if person(file) not in away]
        names = [file.name for file in files if person(file) not in away]
        self.groups = [
            np.array([n for n, name in enumerate(names) if name.startswith(kind)], np.int64)
            for kind in ("real", "made")
        ]
        self.unseen = [np.load(file) for file in files if person(file) in away]
        self.unseen = [frames for frames in self.unseen if len(frames) > 3 * UNSEEN_FRAMES]

    def batch(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Speakers ``[size]`` and cuts ``[2 * size, frames, BANDS]``, the second of each behind all first."""
        groups = [group for group in self.groups if len(group)]
        chosen = [rng.choice(g, min(size // len(groups), len(g)), replace=False) for g in groups]
        speakers = np.concatenate(chosen)
        length = int(rng.integers(*CUT_FRAMES))
        first, second = zip(*(two_cuts(rng, self.known[s], length) for s in speakers), strict=True)
        cuts = [normalised(through_a_line(rng, cut)) for cut in (*first, *second)]
        return speakers, np.stack(cuts)


def person(file: Path) -> str:
    """Without the speed, so that nobody is learnt from at one and judged at another."""
    return file.stem.removesuffix("_fast").removesuffix("_slow")


def two_cuts(
    rng: np.random.Generator, frames: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """From before and after a random moment; repeated where there is too little."""
    moment = int(rng.uniform(0.35, 0.65) * len(frames))

    def cut(part: np.ndarray) -> np.ndarray:
        start = int(rng.integers(max(len(part) - length, 0) + 1))
        return np.resize(part[start : start + length], (length, BANDS)).astype(np.float32)

    return cut(frames[:moment]), cut(frames[moment:])


def through_a_line(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    """The same speech in another room, through another microphone and line, in noise."""
    heard = frames + curve(rng, 6.0 * DB)
    if rng.random() < 0.25:
        decay = np.exp(-60 * DB / rng.uniform(15, 60))  # 60 dB in 150 to 600 ms
        late = scipy.signal.lfilter([0, rng.uniform(0.05, 0.4)], [1, -decay], np.exp(heard), axis=0)
        heard = np.log(np.exp(heard) + late)
    if rng.random() < 0.4:
        low, high = rng.integers(0, 10), rng.integers(46, BANDS)  # to 330 Hz; from 3.0 kHz
        heard[:, :low] -= rng.uniform(10, 40) * DB
        heard[:, high:] -= rng.uniform(10, 60) * DB
    quieter = rng.uniform(5, 30) if rng.random() < 0.6 else rng.uniform(30, 50)
    level = levels(heard).mean() - quieter * DB
    noise = level + curve(rng, 8.0 * DB) + np.log(rng.exponential(size=heard.shape) + 1e-3)
    return np.logaddexp(heard, noise).astype(np.float32)


def curve(rng: np.random.Generator, deviation: float) -> np.ndarray:
    """A smooth one over the bands."""
    knots = rng.normal(0, deviation * rng.random(), 7)
    return np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 7), knots)


def losses(network: Trained, sounds: Crowd, size: int) -> learning.Loss:
    """Of a batch to learn from; of speakers never heard, the equal error rate."""

    def loss(rng: np.random.Generator, *, held_out: bool) -> Tensor:
        if held_out:
            return torch.tensor(unseen_errors(network, sounds, rng))
        speakers, cuts = sounds.batch(rng, size)
        with torch.autocast("cpu", torch.bfloat16):
            heard = network(torch.from_numpy(cuts)).float()
        first, second = heard[: len(speakers)], heard[len(speakers) :]
        together = torch.arange(len(speakers))
        pairs = functional.cross_entropy(PAIRS_SCALE * first @ second.T, together)
        return pairs + of_classes(network, heard, np.concatenate([speakers, speakers]))

    return loss


def of_classes(network: Trained, heard: Tensor, speakers: np.ndarray) -> Tensor:
    cosines = heard @ functional.normalize(network.classes, dim=1).T
    right = torch.from_numpy(speakers)
    angles = torch.acos(cosines.gather(1, right[:, None]).clamp(-1 + 1e-6, 1 - 1e-6))
    with_margin = cosines.scatter(1, right[:, None], torch.cos(angles + MARGIN))
    return functional.cross_entropy(SCALE * with_margin, right)


def unseen_errors(network: Trained, sounds: Crowd, rng: np.random.Generator) -> float:
    count = min(UNSEEN_SPEAKERS, len(sounds.unseen))
    chosen = rng.choice(len(sounds.unseen), count, replace=False)
    pairs = [two_cuts(rng, sounds.unseen[n], UNSEEN_FRAMES) for n in chosen]
    cuts = [
        normalised(through_a_line(rng, cut)) for pair in zip(*pairs, strict=True) for cut in pair
    ]
    heard = network(torch.from_numpy(np.stack(cuts))).numpy()
    similar = heard[:count] @ heard[count:].T
    same = np.eye(count, dtype=bool)
    return equal_error_rate(similar[same], similar[~same])


def band(verifier: Verifier, sounds: Crowd) -> tuple[float, float]:
    """What 95 of 100 pairs by one speaker never heard are more similar than; and the equal error rate.

    Cuts of 3 s as they were recorded, up to `CUTS_EACH` of each speaker, each with each.
    """
    same: list[float] = []
    different: list[float] = []
    everybody = [own_cuts(verifier, frames) for frames in sounds.unseen]
    for n, own in enumerate(everybody):
        same += [similarity(one, other) for one, other in itertools.combinations(own, 2)]
        others = itertools.chain.from_iterable(everybody[n + 1 :])
        different += [similarity(one, other) for one, other in itertools.product(own, others)]
    return float(np.percentile(same, 5)), equal_error_rate(same, different)


def own_cuts(verifier: Verifier, frames: np.ndarray) -> list[np.ndarray]:
    starts = range(0, len(frames) - UNSEEN_FRAMES + 1, UNSEEN_FRAMES)[:CUTS_EACH]
    cuts = (frames[start : start + UNSEEN_FRAMES].astype(np.float32) for start in starts)
    return [verifier.answer(normalised(cut)) for cut in cuts]


def finished(network: Trained, sounds: Crowd, options: argparse.Namespace) -> None:
    """The weights, with the band and where they are from."""
    same, errors = band(exported(network, 0.0), sounds)
    facts = {
        "data": "people in Debian packages, Kokoro-82M and espeak-ng: MODEL_CARD.md",
        "steps": str(options.steps),
        "speakers": str(len(sounds.known)),
        "unseen_speakers": str(len(sounds.unseen)),
        "unseen_equal_error_rate": f"{errors:.4f}",
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_verifier(exported(network, round(same, 3)), options.out, facts)
    print(f"{options.out}: same speaker above {same:.3f}; {100 * errors:.1f} % equal errors")


def main() -> None:
    parser = learning.arguments(__doc__, steps=1800)
    parser.set_defaults(batch=64)
    parser.add_argument("--speakers", type=int, default=280, help="made ones")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cache = options.cache
    fetch(cache / "models")
    in_shards(
        "training.speakers", "--cache", cache, "--models", cache / "models", "--voices", VOICES,
        "--count", options.speakers,
    )  # fmt: skip
    crowd.make(cache)
    sounds = Crowd(cache / "crowd")
    network = Trained(VerifierConfig(), len(sounds.known))
    learning.learn(
        network,
        lambda: losses(network, sounds, options.batch),
        cache / "runs" / "verifier.pt",
        options.steps,
        RATE,
        SEED,
    )
    finished(network, sounds, options)


if __name__ == "__main__":
    main()
