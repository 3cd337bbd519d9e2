"""The converter's network: log-mel frames of anybody in, the persona's two envelopes out.

Everything is a matrix product over a frame and one earlier frame, so that a hop costs a few wide
products and no convolution; the past lives in one small cache a layer.

    frames [B, T, 80] ─ 5 frames ─▶ [C] ─▶ ┌ RMS norm ─ (x_t, x_{t-d}) ─ W1 ─ GELU ─ W2 ─ + ┐ × layers
                                           └────────────────────────────────────────────────┘
                                        ─▶ RMS norm ─┬▶ live head   ─ + ─▶ [B, T, 2, 80]
                                                     └▶ studio head ─ + ─▶ [B, T, 2, 80]
                          the speaker's loudest band at that moment ──┘

A head says how loud each band is against the speaker's loudest one, so that loudness need not be learnt
and a louder speaker is a louder persona. Nothing else of the speaker goes past the layers: with each
band's own level added, the grain of the recording (harmonics, noise, holes left by codecs) came through,
and real people lost words to it. What of their sound is worth more than the answer, their articulation, is
put back after the heads, by the core's ``Articulation``; of training only the last part knows it.

Both heads answer at every frame, for different moments: the live head for the moment ``lookahead``
samples before the end of the newest frame, the studio head for one further back, of which it has
heard more of what follows.
"""

import torch
from torch import Tensor, nn

from persona_voice.converter import BANDS, LOG_POWER_OF_NOISE, NEWER_SHARE
from persona_voice.model.config import NetworkConfig

# Log-mel runs from ln(1e-10) = -23 to about 0: brought to about -2.6 to 2.
MEL_CENTRE, MEL_SPREAD = -10.0, 5.0
# Natural logarithm of an amplitude: of a silent band, and of one louder than speech ever is.
ENVELOPE_FLOOR, ENVELOPE_CEILING = -16.0, 4.0


class Norm(nn.Module):
    """Root mean square of each frame to 1, then a gain for each channel (Zhang & Sennrich 2019).

    Spelt out: for a single frame, torch's own costs several times as much.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        power = torch.linalg.vecdot(x, x).unsqueeze(-1) / x.shape[-1]
        return x * torch.rsqrt(power + 1e-5) * self.weight


class Layer(nn.Module):
    """Residual: this frame and the one `dilation` frames ago, through one hidden layer."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.norm = Norm(channels)
        self.up = nn.Linear(2 * channels, hidden)
        self.down = nn.Linear(hidden, channels)
        with torch.no_grad():
            self.down.weight.mul_(0.3)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` ``[B, T, C]``, ``past`` ``[B, dilation, C]``: the answer and the new past.

        Of a single frame, the past may be the one frame `dilation` ago: what comes back is this one.
        """
        both = torch.cat([past, self.norm(x)], dim=1)
        earlier, now = both[:, : x.shape[1]], both[:, past.shape[1] :]
        hidden = nn.functional.gelu(self.up(torch.cat([now, earlier], dim=2)), approximate="tanh")
        return x + self.down(hidden), both[:, x.shape[1] :]


State = tuple[Tensor, ...]


class ConverterNetwork(nn.Module):
    """Weights only; the past is handed in and out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.enter = nn.Linear(config.input_frames * BANDS, config.channels)
        self.layers = nn.ModuleList(Layer(config.channels, config.hidden) for _ in config.dilations)
        self.norm = Norm(config.channels)
        self.heads = nn.ModuleDict(
            {mode: nn.Linear(config.channels, 2 * BANDS) for mode in ("live", "studio")}
        )
        with torch.no_grad():
            for head in self.heads.values():
                for parameter in head.parameters():
                    parameter.mul_(0.1)

    def start(self, batch: int = 1) -> State:
        """The past of a stream that has heard digital silence."""
        config = self.config
        silence = (-23.0 - MEL_CENTRE) / MEL_SPREAD
        lengths = [(config.input_past, BANDS), *((d, config.channels) for d in config.dilations)]
        states = [torch.zeros(batch, length, width) for length, width in lengths]
        states[0].fill_(silence)
        return tuple(states)

    def forward(self, frames: Tensor, state: State, mode: str) -> tuple[Tensor, State]:
        """Log-mel ``[B, T, 80]`` to log amplitudes ``[B, T, 2, 80]`` (harmonics, noise)."""
        body, heard, new = self.body(frames, state)
        return self.answer(mode, body, heard), new

    def body(self, frames: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """What both heads read ``[B, T, C]``, all frames heard ``[B, past + T, 80]``, the new past."""
        count = frames.shape[1]
        heard = torch.cat([state[0], (frames - MEL_CENTRE) / MEL_SPREAD], dim=1)
        new = [heard[:, count:]]
        ends = [heard.shape[1] - back for back in reversed(range(self.config.input_frames))]
        x = self.enter(torch.cat([heard[:, end - count : end] for end in ends], dim=2))
        for layer, past in zip(self.layers, state[1:], strict=True):
            x, kept = layer(x, past)
            new.append(kept)
        return self.norm(x), heard, tuple(new)

    def answer(self, mode: str, body: Tensor, heard: Tensor) -> Tensor:
        """One head's log amplitudes ``[B, T, 2, 80]``."""
        loudest = self.own(heard, body.shape[1], mode).amax(2)
        y: Tensor = self.heads[mode](body).unflatten(2, (2, BANDS)) + loudest[:, :, None, None]
        return y.clamp(ENVELOPE_FLOOR, ENVELOPE_CEILING)

    def own(self, heard: Tensor, count: int, mode: str) -> Tensor:
        """The speaker's log amplitudes at the head's moments, ``[B, count, 80]``."""
        end = heard.shape[1] - self.config.late(mode)
        newer, older = heard[:, end + 1 - count : end + 1], heard[:, end - count : end]
        return log_amplitudes(NEWER_SHARE * newer + (1 - NEWER_SHARE) * older)


def log_amplitudes(heard: Tensor) -> Tensor:
    """Of frames as the network hears them, ``[..., 80]``."""
    return (heard * MEL_SPREAD + MEL_CENTRE - LOG_POWER_OF_NOISE) / 2
