"""The network of `rust_core/src/f0/network.rs` in torch, and its weights file."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.whole import whole

WEIGHTS = Path(__file__).parents[1] / "rust_core" / "src" / "f0" / "network.weights"
# As in `rust_core/src/f0`, where each is explained.
PITCHES, PARTIALS, WHOLE = 98, 124, 12
LOWEST_HZ, PITCHES_AN_OCTAVE = 55.0, 24
FAST_SAMPLES, LATE_SAMPLES = 264, 1368
HIDDEN, GIVEN = 8, WHOLE + 2
# Pitches away: of correlations octaves, twelfths and fifths; of partials harmonics and what lies between.
LAG_SHIFTS = (-48, -38, -24, -14, -2, -1, 0, 1, 2, 14, 24, 38, 48)
PARTIAL_SHIFTS = (-24, 0, 14, 24, 32, 38, 43, 48, 56, 62, 67, 72, 80)
ENTER, STATE = 32, 64
HOPS_BACK, NEAR = 8, 2
# Of both tracks, threshold of voice, slope and offset of confidence.
DECISIONS = 6


def places() -> Tensor:
    """Which tap a pitch ``[98]`` puts on a number of the evidence ``[320]``; the last one is no tap."""
    at = np.full((PITCHES, 2 * PITCHES + PARTIALS), 39)
    kinds = [(0, PITCHES, LAG_SHIFTS), (PITCHES, PITCHES, LAG_SHIFTS)]
    kinds.append((2 * PITCHES, PARTIALS, PARTIAL_SHIFTS))
    for kind, (begin, count, shifts) in enumerate(kinds):
        for n, shift in enumerate(shifts):
            for pitch in range(PITCHES):
                if 0 <= pitch + shift < count:
                    at[pitch, begin + pitch + shift] = 13 * kind + n
    return torch.from_numpy(at)


class F0Network(nn.Module):
    """Evidence ``[B, T, 332]`` to logits of each pitch and of no voice, ``[B, T, 99]``, twice: 11 and 57 ms late.

    At each pitch the same few taps; gated units (Cho et al. 2014) remember what is about.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.randn(HIDDEN, 39) * 0.25)
        self.told = nn.Linear(GIVEN, HIDDEN)
        self.out = nn.Parameter(torch.randn(2, HIDDEN) * 0.5)
        self.enter = nn.Linear(PITCHES + GIVEN, ENTER)
        self.gated = nn.GRU(ENTER, STATE, batch_first=True)
        self.fast = nn.Linear(STATE, PITCHES + 1)
        self.late = nn.Linear(STATE, PITCHES + 1)
        self.back = nn.Parameter(torch.full((HOPS_BACK, 2 * NEAR + 1), 0.05))
        self.register_buffer("at", places(), persistent=False)

    def forward(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        rows, whole = evidence[..., :-WHOLE], evidence[..., -WHOLE:]
        highest = [rows[..., :PITCHES].amax(-1), rows[..., PITCHES : 2 * PITCHES].amax(-1)]
        given = torch.cat([whole, torch.stack(highest, -1)], -1)
        taps = torch.nn.functional.pad(self.taps, (0, 1))[:, self.at]
        seen = (rows @ taps.flatten(0, 1).T).unflatten(-1, (HIDDEN, PITCHES))
        hidden = torch.relu(seen + self.told(given)[..., None])
        fast, late = (torch.einsum("h,bthn->btn", of, hidden) for of in self.out)
        state, _ = self.gated(torch.relu(self.enter(torch.cat([fast / 4, given], -1))))
        past = torch.nn.functional.pad(late[:, None], (NEAR, NEAR, HOPS_BACK - 1, 0))
        late = torch.conv2d(past, self.back[None, None])[:, 0]
        return plus(self.fast(state), fast), plus(self.late(state), late)


def plus(logits: Tensor, scores: Tensor) -> Tensor:
    return logits + torch.nn.functional.pad(scores, (0, 1))


def tensors(network: F0Network) -> list[Tensor]:
    """In the order of the weights file."""
    gated = network.gated
    parts = [network.taps, network.told.weight, network.told.bias, network.out]
    parts += [network.enter.weight, network.enter.bias]
    parts += [gated.weight_ih_l0, gated.bias_ih_l0, gated.weight_hh_l0, gated.bias_hh_l0]
    parts += [network.fast.weight, network.fast.bias, network.late.weight, network.late.bias]
    return [*parts, network.back]


def save(network: F0Network, decision: list[float], file: Path) -> None:
    """As bfloat16, little-endian; then what the tracks decide by."""
    numbers = np.concatenate([of.detach().numpy().ravel() for of in tensors(network)])
    with whole(file) as out:
        every = torch.from_numpy(np.concatenate([numbers, decision])).bfloat16()
        out.write(every.view(torch.int16).numpy().astype("<i2").tobytes())


def load(file: Path = WEIGHTS) -> tuple[F0Network, list[float]]:
    """The network, and what the tracks decide by, as `save` has it."""
    bits = np.frombuffer(file.read_bytes(), "<i2").copy()
    numbers = torch.from_numpy(bits).view(torch.bfloat16).float()
    network = F0Network().eval()
    count = sum(of.numel() for of in tensors(network))
    if len(numbers) != count + DECISIONS:
        raise SystemExit(f"{file} must hold {count + DECISIONS} numbers, holds {len(numbers)}")
    with torch.no_grad():
        for of in tensors(network):
            of.copy_(numbers[: of.numel()].reshape(of.shape))
            numbers = numbers[of.numel() :]
    return network, [float(of) for of in numbers]


def halved(network: F0Network) -> F0Network:
    """With the weights that the file can hold."""
    with torch.no_grad():
        for of in tensors(network):
            of.copy_(of.bfloat16().float())
    return network
