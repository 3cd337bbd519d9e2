"""A listener for the converter's training: from the persona's envelopes, what is said.

    python -m training.listener --cache DIR [--steps 900]

It learns `training.content` from envelopes, those of the persona's own sentences and those that the
teacher gave to real people's. Two envelopes of which it hears the same say the same; a difference of
half a neper may be another vowel or nothing at all, and the mean absolute difference cannot tell. So
`training.train` asks it too. Writes ``DIR/runs/listener.pt``.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, pad

from persona_voice.converter import BANDS
from training.content import WIDTH
from training.learning import Loss, arguments, device, learn
from training.noncausal import Layer

CHANNELS, HIDDEN, SLOW = 160, 256, 320
# Principal components of the content that it answers with: three quarters of the variance.
COMPONENTS = 128
# A crop in content frames of 20 ms, and what is left out of the loss at each end.
CROP, EDGE = 80, 6
# Half of the crops are heard through a little noise in each band, of so many nepers.
ROUGH = 0.25
# Below the loudest band of a crop by more than this, in nepers, nobody hears anything.
INAUDIBLE = -9.0
HELD_OUT_PAIRS, HELD_OUT_LABELLED, MOST_LABELLED = 12, 20, 600
RATE, SEED = 2e-3, 13


class Listener(nn.Module):
    """Log amplitudes ``[B, T, 2, 80]`` against the crop's loudest one, to content
    ``[B, (T + 1) // 2, COMPONENTS]``, principal components of mean variance 1, the largest last."""

    mean: Tensor
    ways: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Of the content that it learns: where it lies, and the components.
        self.register_buffer("mean", torch.zeros(WIDTH))
        self.register_buffer("ways", torch.zeros(WIDTH, COMPONENTS))
        self.enter = nn.Linear(2 * BANDS, CHANNELS)
        self.fast = nn.Sequential(*(Layer(CHANNELS, HIDDEN, d) for d in (1, 2, 4)))
        self.pair = nn.Linear(3 * CHANNELS, SLOW)
        self.slow = nn.Sequential(*(Layer(SLOW, SLOW, d) for d in (1, 2, 4)))
        self.answer = nn.Linear(SLOW, COMPONENTS)

    def forward(self, envelopes: Tensor) -> Tensor:
        x = self.fast(self.enter((envelopes.clamp(min=INAUDIBLE).flatten(2) + 5) / 2.5))
        count, wide = x.shape[1], pad(x, (0, 0, 1, 1))
        near = [wide[:, shift : shift + count : 2] for shift in range(3)]
        y: Tensor = self.answer(self.slow(self.pair(torch.cat(near, dim=2))))
        return y


def misheard(listener: Listener, got: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference between what the listener hears in both, ``[B, T, 2, 80]`` each."""
    loudest = wanted.amax(dim=(1, 2, 3), keepdim=True)
    with torch.no_grad():
        said = listener(wanted - loudest)
    return (listener(got - loudest) - said)[:, EDGE:-EDGE].square().mean()


class Readings:
    """Envelopes, and what is said in them."""

    def __init__(self, cache: Path) -> None:
        rng = np.random.default_rng(SEED)
        pairs = [
            (np.load(file), self.content(cache / "content" / f"pair_{file.stem}_target.npz"))
            for file in sorted((cache / "envelopes").glob("*.npy"))
        ]
        files = sorted((cache / "labelled").glob("real_*.npz"))
        labelled = []
        for file in (files[k] for k in rng.permutation(len(files))[:MOST_LABELLED]):
            with np.load(file) as arrays:
                labelled.append((arrays["envelopes"], self.content(cache / "content" / file.name)))
        pairs = [item for item in pairs if self.room(item) > 0]
        labelled = [item for item in labelled if self.room(item) > 0]
        self.unseen = pairs[:HELD_OUT_PAIRS] + labelled[:HELD_OUT_LABELLED]
        self.seen = pairs[HELD_OUT_PAIRS:] + labelled[HELD_OUT_LABELLED:]

    def components(self) -> tuple[Tensor, Tensor]:
        """The mean of what is said, and the ways in which it varies most."""
        some = torch.cat([self.normal(content[::7]) for _, content in self.seen])
        some = some[torch.randperm(len(some))[:30_000]]
        mean = some.mean(0)
        powers, ways = torch.linalg.eigh(torch.cov((some - mean).T))
        return mean, ways[:, -COMPONENTS:] / powers[-COMPONENTS:].mean().sqrt()

    @staticmethod
    def content(file: Path) -> np.ndarray:
        with np.load(file) as arrays:
            content: np.ndarray = arrays["content"]
        return content

    @staticmethod
    def room(item: tuple[np.ndarray, np.ndarray]) -> int:
        return min(len(item[0]) // 2, len(item[1])) - 1 - CROP

    @staticmethod
    def normal(content: np.ndarray) -> Tensor:
        return layer_norm(torch.from_numpy(content.astype(np.float32)), (WIDTH,))

    def batch(self, rng: np.random.Generator, items: list, size: int) -> tuple[Tensor, Tensor]:
        heard, said = [], []
        for _ in range(size):
            item = items[rng.integers(len(items))]
            start = int(rng.integers(self.room(item)))
            crop = item[0][2 * start : 2 * (start + CROP)].astype(np.float32)
            if rng.random() < 0.5:
                crop += np.float32(ROUGH) * rng.standard_normal(crop.shape, np.float32)
            heard.append(torch.from_numpy(crop - crop.max()))
            said.append(self.normal(item[1][start : start + CROP]))
        return torch.stack(heard), torch.stack(said)


def train(cache: Path, steps: int, batch: int) -> Listener:
    torch.manual_seed(SEED)
    listener = Listener().to(device())

    def prepare() -> Loss:
        readings = Readings(cache)
        mean, ways = readings.components()
        listener.mean.copy_(mean)
        listener.ways.copy_(ways)

        def loss(rng: np.random.Generator, *, held_out: bool) -> Tensor:
            items = readings.unseen if held_out else readings.seen
            heard, said = (part.to(device()) for part in readings.batch(rng, items, batch))
            wanted = (said - listener.mean) @ listener.ways
            off: Tensor = (listener(heard) - wanted)[:, EDGE:-EDGE].square().mean()
            return off

        return loss

    learn(listener, prepare, listener_file(cache), steps, RATE, SEED)
    return listener


def listener_file(cache: Path) -> Path:
    return cache / "runs" / "listener.pt"


def load(cache: Path) -> Listener:
    file = listener_file(cache)
    if not file.exists():
        raise SystemExit(f"no listener in {cache}; run training.listener first")
    listener = Listener()
    listener.load_state_dict(torch.load(file, map_location="cpu"))
    return listener.requires_grad_(False).eval()


def main() -> None:
    options = arguments(__doc__, steps=900).parse_args()
    torch.set_num_threads(options.threads)
    train(options.cache, options.steps, options.batch)


if __name__ == "__main__":
    main()
