"""What lies between both ends of many streams, in torch: network, articulation, manner, vocoder.

    [slots, 87] heard ─ network ─ articulation ─ silence where due ─ colour ─ vocoder ─▶ [slots, 241]

All slots take every step, in tensors of one shape. Those without a hop keep their state; nothing is
asked back from the device, and no line runs once for each stream.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from persona_voice.converter import BANDS, SILENT
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_articulation import Articulated, Articulation
from persona_voice.model.torch_manner import Colour
from persona_voice.model.torch_vocoder import Sounding, Vocoder

# Where the numbers of a slot lie, as `persona_voice._core.Ends` gives them.
HOP_THERE, SILENT_THERE, F0 = 0, 1, 2
MANNER, MEL = slice(3, 7), slice(7, None)
HEARD = 7 + BANDS
# Log-mel further from 0 than this is not believed.
LOUDEST_MEL = 60.0


class Slots(NamedTuple):
    """What all streams go on from; a row of each tensor is a slot's."""

    position: Tensor  # [slots]: hops heard
    heard: Tensor  # [slots, past, 80]: scaled log-mel
    failed: Tensor  # [slots]
    articulated: Articulated
    sounding: Sounding


class Voices:
    """Streams of one network and mode on one device, stepped together, a hop of each at most.

    Of each layer's normed inputs the newest lie in a ring, `dilation` of them: the oldest is what the
    layer wants, and its place is where the newest goes. All rings are one tensor.
    """

    def __init__(
        self, network: ConverterNetwork, mode: str, slots: int, seed: int, device: torch.device
    ) -> None:
        self.network, self.mode = network.to(device), mode
        self.articulation = Articulation().to(device)
        self.colour = Colour().to(device)
        self.vocoder = Vocoder(seed).to(device)
        lengths = torch.tensor(network.config.dilations)
        self.lengths, self.offsets = lengths.to(device), (lengths.cumsum(0) - lengths).to(device)
        self.rings = torch.zeros(slots, sum(lengths), network.config.channels, device=device)
        self.new, self.slots = self.start(1, device), self.start(slots, device)

    def start(self, slots: int, device: torch.device) -> Slots:
        return Slots(
            torch.zeros(slots, dtype=torch.int64, device=device),
            self.network.start(slots)[0].to(device),
            torch.zeros(slots, dtype=torch.bool, device=device),
            self.articulation.start(slots),
            self.vocoder.start(slots),
        )

    def clear(self, slot: int) -> None:
        """The slot's stream is a new one."""
        self.rings[slot] = 0
        for kept, new in zip(tensors_of(self.slots), tensors_of(self.new), strict=True):
            kept[slot] = new[0]

    def step(self, heard: Tensor) -> Tensor:
        """Numbers heard ``[slots, 87]`` to a failure and a hop of sound ``[slots, 241]``."""
        there = heard[:, HOP_THERE] > 0
        places = (self.slots.position[:, None] % self.lengths + self.offsets)[:, :, None]
        places = places.expand(-1, -1, self.rings.shape[2])
        earlier = self.rings.gather(1, places)
        new, now, sound = self.said(heard, earlier)
        self.rings.scatter_(1, places, torch.where(there[:, None, None], now, earlier))
        for kept, tensor in zip(tensors_of(self.slots), tensors_of(new), strict=True):
            torch.where(there.view(-1, *(1,) * (kept.ndim - 1)), tensor, kept, out=kept)
        made = torch.cat([new.failed[:, None], sound], 1)
        return torch.where(there[:, None], made, 0)

    def said(self, heard: Tensor, earlier: Tensor) -> tuple[Slots, Tensor, Tensor]:
        """The state after the hop, the layers' normed inputs ``[slots, layers, channels]``, the hop;
        `earlier` are those that lie a dilation back."""
        last, network = self.slots, self.network
        mel = heard[:, None, MEL].clamp(-LOUDEST_MEL, LOUDEST_MEL)
        body, frames, past = network.body(mel, (last.heard, *earlier.unsqueeze(2).unbind(1)))
        answer = network.answer(self.mode, body, frames)[:, 0]
        own = network.own(frames, 1, self.mode)[:, 0]
        articulated, envelopes = self.articulation(last.articulated, own, answer)
        failed = last.failed | ~envelopes.sum((1, 2)).isfinite()
        silent = failed | (heard[:, SILENT_THERE] > 0)
        envelopes = torch.where(silent[:, None, None], SILENT, envelopes)
        envelopes = self.colour(envelopes, heard[:, MANNER])
        sounding, sound = self.vocoder(last.sounding, heard[:, F0], envelopes)
        new = Slots(last.position + 1, past[0], failed, articulated, sounding)
        return new, torch.cat(past[1:], 1), sound


def tensors_of(slots: Slots) -> Iterator[Tensor]:
    for of in slots:
        yield from (of,) if isinstance(of, Tensor) else of
