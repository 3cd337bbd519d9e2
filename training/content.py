"""What is said, whoever says it: inner layers of Whisper's encoder, every 20 ms.

    python -m training.content --cache DIR --models DIR [--shard 0/2]

Writes ``DIR/content/NAME.npz`` for every reading of every pair, half of the sources as a bad microphone or room
would give them, and for all speech of `training.speech`: ``content`` ``[frames, WIDTH]``, ``loudness``
at every moment (10 ms) in nepers, and the ``level`` of what is loud in it.

The encoder (Radford et al. 2022, arXiv:2212.04356) was trained on 680,000 hours of real recordings, so
that it hears through voices, rooms and lines that no pair of ours has. Only training listens to it.
"""

import argparse
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import scipy.signal
import soundfile
import torch
from torch import Tensor
from torch.nn.functional import conv1d, gelu, layer_norm, linear, scaled_dot_product_attention

from training.data import SOURCE_WEIGHT, degrade
from training.learning import device
from training.pairs import SEED
from training.shard import shard
from training.synthesis import HOP
from training.whole import whole

WHISPER_RATE, WHISPER_HOP = 16_000, 320
# Layers whose answers are given, side by side; the last of six has been through the final norm.
LAYERS = (4, 6)
WIDTH = 512 * len(LAYERS)
# Silence appended, as Whisper's windows nearly always end in it.
PADDING_S = 1.0


def read_ctranslate2(file: Path) -> dict[str, Tensor]:
    """The float16 variables of a CTranslate2 `model.bin` (binary version 6) as float32."""
    variables = {}
    with file.open("rb") as opened:
        version = integer(opened, "I")
        if version != 6:
            raise SystemExit(f"{file}: CTranslate2 binary version is {version}, expected 6")
        text(opened)
        integer(opened, "I")
        for _ in range(integer(opened, "I")):
            name = text(opened)
            shape = [integer(opened, "I") for _ in range(integer(opened, "B"))]
            kind, size = integer(opened, "B"), integer(opened, "I")
            body = opened.read(size)
            if kind == 4:
                values = np.frombuffer(body, "<f2").reshape(shape)
                variables[name] = torch.from_numpy(values.astype(np.float32))
    return variables


def integer(file: BinaryIO, kind: str) -> int:
    return int(struct.unpack("<" + kind, file.read(struct.calcsize("<" + kind)))[0])


def text(file: BinaryIO) -> str:
    return file.read(integer(file, "H"))[:-1].decode()


class Content:
    """24 kHz samples to content frames ``[frames, WIDTH]``; frame k is about 20 k ms."""

    def __init__(self, models: Path) -> None:
        from faster_whisper.feature_extractor import FeatureExtractor

        self.extractor = FeatureExtractor()
        self.weights = {
            name.removeprefix("encoder/"): tensor.to(device())
            for name, tensor in read_ctranslate2(models / "whisper-base" / "model.bin").items()
            if name.startswith("encoder/")
        }
        self.heads = 8

    @torch.inference_mode()
    def __call__(self, samples: np.ndarray) -> np.ndarray:
        heard = scipy.signal.resample_poly(samples, 2, 3).astype(np.float32)
        padded = np.pad(heard, (0, int(PADDING_S * WHISPER_RATE)))
        mel = torch.from_numpy(self.extractor(padded, padding=0)).float()[None].to(device())
        frames = len(heard) // WHISPER_HOP + 1
        answer: np.ndarray = self.encode(mel)[0, :frames].cpu().numpy()
        return answer

    def encode(self, mel: Tensor) -> Tensor:
        """Whisper's log-mel ``[B, 80, 2 F]`` to content ``[B, F, WIDTH]``."""
        w = self.weights
        x = gelu(conv1d(mel, w["conv1/weight"], w["conv1/bias"], padding=1))
        x = gelu(conv1d(x, w["conv2/weight"], w["conv2/bias"], stride=2, padding=1))
        x = x.transpose(1, 2)
        x = x + w["position_encodings/encodings"][: x.shape[1]]
        answers = []
        for k in range(6):
            x = self.layer(f"layer_{k}", x)
            if k + 1 in LAYERS:
                answers.append(self.norm("layer_norm", x) if k == 5 else x)
        return torch.cat(answers, 2)

    def layer(self, name: str, x: Tensor) -> Tensor:
        own = f"{name}/self_attention"
        joined = self.linear(f"{own}/linear_0", self.norm(f"{own}/layer_norm", x))
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in joined.chunk(3, 2)
        )
        heard = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.linear(f"{own}/linear_1", heard)
        hidden = gelu(self.linear(f"{name}/ffn/linear_0", self.norm(f"{name}/ffn/layer_norm", x)))
        return x + self.linear(f"{name}/ffn/linear_1", hidden)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return linear(x, self.weights[f"{name}/weight"], self.weights[f"{name}/bias"])

    def norm(self, name: str, x: Tensor) -> Tensor:
        gamma, beta = self.weights[f"{name}/gamma"], self.weights[f"{name}/beta"]
        return layer_norm(x, gamma.shape, gamma, beta)


def loudness(samples: np.ndarray) -> np.ndarray:
    """Log amplitude (nepers) of 30 ms around each moment."""
    window = np.hanning(3 * HOP)
    window /= np.sqrt((window**2).sum())
    padded = np.pad(samples.astype(np.float64), (3 * HOP // 2, 3 * HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 3 * HOP)[::HOP]
    moments = len(samples) // HOP + 1
    return 0.5 * np.log(((frames[:moments] * window) ** 2).sum(1) + 1e-10)


def level(loud: np.ndarray) -> float:
    """Log amplitude of the louder part."""
    power = np.exp(2 * loud)
    return float(0.5 * np.log(power[power >= power.mean()].mean()))


def readings(cache: Path) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Names, and how to get the sound."""
    for file in sorted((cache / "pairs").glob("*.npz")):
        with np.load(file) as arrays:
            kinds = [source["engine"] for source in json.loads(str(arrays["meta"]))["sources"]]
        # Older caches hold sources, too, that do not keep time with the target.
        in_step = (f"source_{k}" for k, kind in enumerate(kinds) if kind in SOURCE_WEIGHT)
        for name in ("target", *in_step):
            yield f"pair_{file.stem}_{name}", lambda file=file, name=name: of_pair(file, name)
    for file in sorted((cache / "speech").glob("*.flac")):
        yield file.stem, lambda file=file: soundfile.read(file, dtype="float32")[0]


def of_pair(file: Path, name: str) -> np.ndarray:
    with np.load(file) as arrays:
        samples: np.ndarray = arrays[name] / 32768.0
    if name == "target":
        return samples  # whose level is the measure of the answers
    rng = np.random.default_rng([SEED, 2, int(file.stem), ord(name[-1])])
    return degrade(rng, samples) if rng.random() < 0.5 else samples


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--shard", type=shard, default="0/1", help="K/N: every N-th reading")
    options = parser.parse_args()
    folder = options.cache / "content"
    folder.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    listen = Content(options.models)
    todo = list(readings(options.cache))[options.shard]
    for count, (name, sound) in enumerate(todo, start=1):
        file = folder / f"{name}.npz"
        if file.exists():
            continue
        samples = sound()
        loud = loudness(samples)
        with whole(file) as out:
            np.savez(
                out,
                content=listen(samples).astype(np.float16),
                loudness=loud.astype(np.float32),
                level=level(loud),
            )
        if count % 20 == 0:
            print(f"content {count}/{len(todo)}", flush=True)


if __name__ == "__main__":
    main()
