"""The voice activity detector of `rust_core/src/vad.rs` in numpy and torch, and its weights file."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.synthesis import HOP, RATE
from training.whole import whole

Frames = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).parents[1] / "rust_core" / "src" / "vad" / "network.weights"
# As in `rust_core/src/vad.rs`, where each is explained.
WINDOW, FALL = 512, 128
BANDS, LOW_HZ, HIGH_HZ = 36, 70.0, 7600.0
FLOOR, CENTRE, SPREAD = 1e-10, -12.0, 4.0
ENTER, WIDE, NARROW = 32, 64, 32


def window() -> npt.NDArray[np.float64]:
    """Rises long and falls short, so that what is new counts at once."""
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(WINDOW - FALL) / (WINDOW - FALL))
    fall = 0.5 + 0.5 * np.cos(np.pi * (np.arange(FALL) + 0.5) / FALL)
    return np.concatenate([rise, fall])


def bands() -> npt.NDArray[np.float64]:
    """``[bins, 36]``: triangles of unit sum on Slaney's mel scale."""
    mel = np.linspace(mel_from_hz(LOW_HZ), mel_from_hz(HIGH_HZ), BANDS + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * 1.856297990365626 / 27))
    hz = np.arange(WINDOW // 2 + 1)[:, None] * RATE / WINDOW
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)).clip(0)
    return np.asarray(weights / weights.sum(0))


def mel_from_hz(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000)) / 1.856297990365626


def frames(samples: npt.NDArray[np.floating]) -> Frames:
    """``[hops, 36]``, as the network hears them."""
    padded = np.concatenate([np.zeros(WINDOW - HOP), samples.clip(-8, 8)])
    views = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    shape = window() * 2 / window().sum()
    power = np.abs(np.fft.rfft(views * shape)) ** 2 @ bands()
    return ((np.log(power + FLOOR) - CENTRE) / SPREAD).astype(np.float32)


class VadNetwork(nn.Module):
    """Frames ``[B, T, 36]`` to logits of speech ``[B, T]``; the past before them is silence.

    A frame and the one before enter; two layers of gated units (Cho et al. 2014) remember.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(2 * BANDS, ENTER)
        self.wide = nn.GRU(ENTER, WIDE, batch_first=True)
        self.narrow = nn.GRU(WIDE, NARROW, batch_first=True)
        self.head = nn.Linear(NARROW, 1)

    def forward(self, heard: Tensor) -> Tensor:
        silence = (float(np.log(FLOOR)) - CENTRE) / SPREAD
        before = nn.functional.pad(heard[:, :-1], (0, 0, 1, 0), value=silence)
        x = torch.relu(self.enter(torch.cat([before, heard], -1)))
        x, _ = self.wide(x)
        x, _ = self.narrow(x)
        logits: Tensor = self.head(x)[..., 0]
        return logits


def tensors(network: VadNetwork) -> list[Tensor]:
    """In the order of the weights file."""
    gated = [
        getattr(layer, name)
        for layer in (network.wide, network.narrow)
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    ]
    return [
        network.enter.weight, network.enter.bias, *gated, network.head.weight, network.head.bias,
    ]  # fmt: skip


def save(network: VadNetwork, file: Path) -> None:
    """As bfloat16, little-endian, one tensor after the other."""
    with whole(file) as out:
        for tensor in tensors(network):
            out.write(tensor.detach().to(torch.bfloat16).view(torch.int16).numpy().tobytes())


def load(file: Path = WEIGHTS) -> VadNetwork:
    network = VadNetwork().eval()
    numbers = np.fromfile(file, "<u2").astype(np.uint32) << 16
    numbers, at = numbers.view(np.float32), 0
    with torch.no_grad():
        for tensor in tensors(network):
            tensor.copy_(torch.from_numpy(numbers[at : at + tensor.numel()].reshape(tensor.shape)))
            at += tensor.numel()
    if at != len(numbers):
        raise SystemExit(f"{file} must hold {at} numbers, got {len(numbers)}")
    return network


def probabilities(network: VadNetwork, samples: npt.NDArray[np.floating]) -> Frames:
    """Of speech, one per hop."""
    with torch.no_grad():
        heard = torch.from_numpy(frames(samples))[None]
        return torch.sigmoid(network(heard))[0].numpy()
