"""A teacher for speech that the persona never said: from its content, her envelopes.

    python -m training.teacher --cache DIR [--steps 1200]

The teacher hears `training.content`, which is much the same for whoever speaks, and so answers for real
people although it has learnt from pairs of synthetic voices alone. It is neither causal nor small: it
runs once, over all speech of `training.speech`, and writes ``DIR/labelled/NAME.npz`` (``source``, int16;
``envelopes`` ``[moments, 2, 80]``), from which the converter's network learns to do the same live.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from persona_voice.converter import BANDS, SILENT
from training.content import WIDTH
from training.data import made_by
from training.learning import Loss, arguments, device, learn
from training.noncausal import Layer
from training.synthesis import HOP
from training.train import envelope_loss
from training.whole import whole

CHANNELS, HIDDEN = 320, 448
DROPOUT = 0.1
# A crop in content frames of 20 ms, and what is left out of the loss at each end, in moments.
CROP, EDGE = 80, 8
HELD_OUT_PAIRS = 12
# Loudness against the level of the utterance, in nepers: what is below is silence.
QUIETEST, LOUDEST = -4.5, 1.5
# The level at which the loss is taken: about that of the pairs.
LEVEL = -2.5
SEED = 11


class Teacher(nn.Module):
    """Content ``[B, F, WIDTH]`` every 20 ms and loudness ``[B, T]`` every 10 ms against the level of the
    utterance; log amplitudes ``[B, T, 2, 80]`` against that level, ``T`` at most ``2 F - 1``."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = nn.Sequential(
            nn.LayerNorm(WIDTH, elementwise_affine=False),
            nn.Dropout(DROPOUT),
            nn.Linear(WIDTH, CHANNELS),
        )
        self.slow = nn.Sequential(*(Layer(CHANNELS, HIDDEN, d, DROPOUT) for d in (1, 2, 1)))
        self.loud = nn.Linear(5, CHANNELS)
        self.fast = nn.Sequential(*(Layer(CHANNELS, HIDDEN, d, DROPOUT) for d in (1, 2)))
        self.answer = nn.Linear(CHANNELS, 2 * BANDS)
        nn.init.constant_(self.answer.bias, -3.0)

    def forward(self, content: Tensor, loudness: Tensor) -> Tensor:
        x = self.slow(self.heard(content))
        twice = 2 * x.shape[1] - 1
        x = interpolate(x.transpose(1, 2), size=twice, mode="linear", align_corners=True)
        x = x.transpose(1, 2)[:, : loudness.shape[1]]
        loudness = loudness[:, : x.shape[1]]
        x = self.fast(x + self.loud(pad(loudness, (2, 2)).unfold(1, 5, 1)))
        y: Tensor = self.answer(x) + loudness.unsqueeze(2)
        return y.unflatten(2, (2, BANDS))


def relative(loudness: np.ndarray, level: float) -> np.ndarray:
    return np.clip(loudness - level, QUIETEST, LOUDEST).astype(np.float32)


class Readings:
    """Content and loudness of every reading of some pairs, and the persona's envelopes."""

    def __init__(self, cache: Path, pairs: list[str]) -> None:
        self.items = []
        files: dict[str, list[Path]] = {pair: [] for pair in pairs}
        for file in sorted((cache / "content").glob("pair_*.npz")):
            files.get(file.stem.split("_")[1], []).append(file)
        for pair in pairs:
            envelopes = np.load(cache / "envelopes" / f"{pair}.npy")
            with np.load(cache / "content" / f"pair_{pair}_target.npz") as arrays:
                own_level = float(arrays["level"])
            for file in files[pair]:
                with np.load(file) as arrays:
                    loud = relative(arrays["loudness"], float(arrays["level"]))
                    self.items.append((arrays["content"], loud, envelopes, own_level))
        self.items = [item for item in self.items if self.room(item) > 0]

    @staticmethod
    def room(item: tuple) -> int:
        content, loud, envelopes, _ = item
        return min(len(content), len(loud) // 2, len(envelopes) // 2) - 1 - CROP

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        crops = []
        for _ in range(size):
            item = self.items[rng.integers(len(self.items))]
            content, loud, envelopes, own_level = item
            start = int(rng.integers(self.room(item)))
            fine = slice(2 * start, 2 * start + 2 * CROP - 1)
            wanted = envelopes[fine].astype(np.float32) - own_level
            crops.append((content[start : start + CROP].astype(np.float32), loud[fine], wanted))
        content, loud, wanted = (
            torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)
        )
        return content, loud, wanted


def train(cache: Path, options: argparse.Namespace) -> Teacher:
    torch.manual_seed(SEED)
    teacher = Teacher().to(device())

    def prepare() -> Loss:
        pairs = sorted(file.stem for file in (cache / "envelopes").glob("*.npy"))
        unseen = Readings(cache, pairs[:HELD_OUT_PAIRS])
        readings = Readings(cache, pairs[HELD_OUT_PAIRS:])
        inside = slice(EDGE, -EDGE)

        def loss(rng: np.random.Generator, *, held_out: bool) -> Tensor:
            batch = (unseen if held_out else readings).batch(rng, options.batch)
            content, loud, wanted = (part.to(device()) for part in batch)
            got = teacher(content, loud)[:, inside]
            return envelope_loss(got + LEVEL, wanted[:, inside] + LEVEL)

        return loss

    learn(teacher, prepare, cache / "runs" / "teacher.pt", options.steps, options.rate, SEED)
    return teacher


@torch.inference_mode()
def label(cache: Path, teacher: Teacher) -> None:
    folder = made_by(cache / "labelled", "the teacher")
    files = sorted((cache / "speech").glob("*.flac"))
    for count, file in enumerate(files, start=1):
        out = folder / f"{file.stem}.npz"
        if out.exists():
            continue
        samples, _ = soundfile.read(file, dtype="int16")
        with np.load(cache / "content" / f"{file.stem}.npz") as arrays:
            content = torch.from_numpy(arrays["content"].astype(np.float32))[None].to(device())
            level = float(arrays["level"])
            loud = torch.from_numpy(relative(arrays["loudness"], level))[None].to(device())
        envelopes = (teacher(content, loud)[0] + level).clamp(min=SILENT).cpu().numpy()
        assert len(envelopes) >= len(samples) // HOP - 1
        with whole(out) as opened:
            np.savez(opened, source=samples, envelopes=envelopes.astype(np.float16))
        if count % 100 == 0:
            print(f"labelled {count}/{len(files)}", flush=True)


def main() -> None:
    parser = arguments(__doc__, steps=1200)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    label(options.cache, train(options.cache, options))


if __name__ == "__main__":
    main()
