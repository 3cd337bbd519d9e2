"""LLVC's published network with weights of chance, to be timed: what it costs, not how it sounds.

    samples [B, 1, n·208] ─ 12 gated convolutions ─ + ─▶ conv 48/16 ─▶ [B, n·13, 512] ─▶ 8 dilated layers
                        └────────────────────────────┘                     │                  │
                                                                           │        attention over 26 frames
              samples [B, 1, n·208] ◀─ transposed conv 80/16 ◀──────────── × ◀──── mask ──────┘

The cost of such layers does not depend on the numbers in them, which cannot be had where this bench must
run; their kinds, widths and counts are the published ones, and so is the number of parameters.

It is laid out to be fast, so that the comparison is with the best that ONNX Runtime makes of it: time before
channels, so that a pointwise convolution is a matrix product; a depthwise one is three products; each layer's
past is a tensor of its own, and is cut from what was joined, not copied into a buffer; the gated convolutions
hear their 24 samples of past again instead of keeping 12 caches. As published, with channels before time, it
was slower here.

Source
------
Sadov, Hutter & Near (2023), Low-latency Real-time Voice Conversion on CPU, arXiv 2311.00873, and its
published settings (github.com/KoeAI/LLVC, ``experiments/llvc/config.json``).
"""

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16_000
STRIDE = 16  # samples to a frame
CHUNK_FRAMES = 13
CHUNK = CHUNK_FRAMES * STRIDE  # 13 ms
WIDE, NARROW = 512, 256
GATED_LAYERS = 12
DILATIONS = tuple(2**n for n in range(8))
HEADS = 8
# Samples that the gated convolutions, of 3 taps each, and the first frame of a chunk look back to.
GATED_PAST, FRAME_PAST = 2 * GATED_LAYERS, 2 * STRIDE
# Earlier frames that the last convolution adds up with the newest.
ANSWER_PAST = 4
PUBLISHED_PARAMETERS = 3_258_720

State = tuple[Tensor, ...]


class Gated(nn.Module):
    """One channel: a filter through a gate, added to what came in; two samples shorter."""

    def __init__(self) -> None:
        super().__init__()
        self.filter, self.gate = nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 2:] + torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))


class Dilated(nn.Module):
    """Residual: three frames of each channel, then all channels of a frame."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Parameter(torch.randn(3, WIDE) / 3**0.5)
        self.bias = nn.Parameter(torch.zeros(WIDE))
        self.mix = nn.Linear(WIDE, WIDE)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDE) for _ in range(2))

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` ``[B, T, C]``, ``past`` ``[B, 2·dilation, C]``: the answer and the new past."""
        count = x.shape[1]
        both = torch.cat([past, x], dim=1)
        y: Tensor = self.bias
        for tap in range(3):
            start = tap * self.dilation
            y = y + self.taps[tap] * both[:, start : start + count]
        y = torch.relu(self.norms[0](y))
        return x + torch.relu(self.norms[1](self.mix(y))), both[:, count:]


class Decoder(nn.Module):
    """One transformer layer: the frames of a chunk look at themselves and the chunk before."""

    def __init__(self) -> None:
        super().__init__()
        self.itself = nn.MultiheadAttention(NARROW, HEADS, batch_first=True)
        self.across = nn.MultiheadAttention(NARROW, HEADS, batch_first=True)
        self.up, self.down = nn.Linear(NARROW, 2 * NARROW), nn.Linear(2 * NARROW, NARROW)
        self.norms = nn.ModuleList(nn.LayerNorm(NARROW) for _ in range(3))
        self.places: Tensor
        self.register_buffer("places", _sinusoids(2 * CHUNK_FRAMES))

    def forward(self, wanted: Tensor, heard: Tensor) -> Tensor:
        """Both ``[B, 26, 256]``, the chunk before and this: ``[B, 13, 256]``."""
        wanted, heard = wanted + self.places, heard + self.places
        x = wanted[:, CHUNK_FRAMES:]
        x = self.norms[0](x + self.itself(x, wanted, wanted, need_weights=False)[0])
        x = self.norms[1](x + self.across(x, heard, heard, need_weights=False)[0])
        y: Tensor = self.norms[2](x + self.down(torch.relu(self.up(x))))
        return y


class Llvc(nn.Module):
    """Weights only; the past is handed in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.gated = nn.ModuleList(Gated() for _ in range(GATED_LAYERS))
        self.enter = nn.Conv1d(1, WIDE, 3 * STRIDE, stride=STRIDE, bias=False)
        # Of a target speaker's number, of which there is one.
        self.speaker = nn.Sequential(
            *(nn.Linear(1, WIDE), nn.LayerNorm(WIDE), nn.ReLU()),
            *(nn.Linear(WIDE, WIDE), nn.LayerNorm(WIDE), nn.ReLU()),
        )
        self.layers = nn.ModuleList(Dilated(d) for d in DILATIONS)
        self.narrow = nn.ModuleList(nn.Conv1d(WIDE, NARROW, 1, groups=NARROW) for _ in range(2))
        self.decoder = Decoder()
        self.widen = nn.Conv1d(NARROW, WIDE, 1, groups=NARROW)
        self.leave = nn.ConvTranspose1d(
            WIDE, 1, 5 * STRIDE, stride=STRIDE, padding=ANSWER_PAST * STRIDE, bias=False
        )

    def start(self, batch: int = 1) -> State:
        """The past of a stream that has heard zeros."""
        shapes = [(1, GATED_PAST + FRAME_PAST)]
        shapes += [(2 * d, WIDE) for d in DILATIONS]
        shapes += [(CHUNK_FRAMES, NARROW), (CHUNK_FRAMES, NARROW), (WIDE, ANSWER_PAST)]
        return tuple(torch.zeros(batch, *shape) for shape in shapes)

    def forward(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Samples ``[B, 1, n·208]`` to as many, and the new past after them."""
        both = torch.cat([state[0], samples], dim=2)
        new = [both[:, :, samples.shape[2] :]]
        x = both
        for layer in self.gated:
            x = layer(x)
        frames = torch.relu(self.enter(both[:, :, GATED_PAST:] + x))
        heard = frames.transpose(1, 2)
        for layer, past in zip(self.layers, state[1:-3], strict=True):
            heard, kept = layer(heard, past)
            new.append(kept)
        mask, kept_two = self.mask(heard.transpose(1, 2), state[-3:-1])
        masked = torch.cat([state[-1], frames * mask], dim=2)
        return torch.tanh(self.leave(masked)), *new, *kept_two, masked[:, :, -ANSWER_PAST:]

    def mask(self, heard: Tensor, past: State) -> tuple[Tensor, State]:
        """What to let through of each channel of each frame, ``[B, 512, T]``; and the new past."""
        wanted = self.speaker(heard.new_zeros(1, 1))[:, :, None] * heard
        both = [
            torch.cat([before, torch.relu(narrow(x)).transpose(1, 2)], dim=1)
            for before, narrow, x in zip(past, self.narrow, (wanted, heard), strict=True)
        ]
        starts = range(0, heard.shape[2], CHUNK_FRAMES)
        chunks = [self.decoder(*(x[:, s : s + 2 * CHUNK_FRAMES] for x in both)) for s in starts]
        wide = torch.relu(self.widen(torch.cat(chunks, dim=1).transpose(1, 2)))
        return wide + wanted, tuple(x[:, -CHUNK_FRAMES:] for x in both)


def _sinusoids(count: int) -> Tensor:
    """Places ``[count, 256]`` as sines and cosines of falling frequency (Vaswani et al. 2017)."""
    rates = 10_000.0 ** (-torch.arange(0, NARROW, 2) / NARROW)
    angles = torch.arange(count)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
