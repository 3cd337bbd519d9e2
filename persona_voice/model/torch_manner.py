"""A manner's tract, level, breath and tilt on the envelopes of many streams at once, in torch."""

import math

import torch
from torch import Tensor, nn

from persona_voice.converter import (
    BANDS,
    MELS_A_BAND,
    PER_LOG,
    SILENT,
    band_centres_hz,
)

# The spectrum is tilted about this, and a decibel is so much of a natural logarithm of amplitude.
TILT_ABOUT_HZ = 500.0
LN_OF_DB = math.log(10) / 20


class Colour(nn.Module):
    """What rust_core/src/manner.rs gives envelopes, a row for each stream."""

    centres_hz: Tensor
    octaves: Tensor

    def __init__(self) -> None:
        super().__init__()
        centres_hz = torch.from_numpy(band_centres_hz())
        self.register_buffer("centres_hz", centres_hz)
        self.register_buffer("octaves", torch.log2(centres_hz / TILT_ABOUT_HZ).float())

    def forward(self, envelopes: Tensor, manner: Tensor) -> Tensor:
        """``[slots, 2, 80]``, and level, breath and tilt in dB and tract in octaves ``[slots, 4]``."""
        envelopes = self.lengthened(envelopes, manner[:, 3:])
        level, breath, tilt = manner[:, :3].unsqueeze(2).unbind(1)
        more = level + tilt * self.octaves
        breath = breath * share_of_harmonics(envelopes)
        db = torch.stack([more, more + breath], 1)
        return envelopes + torch.where(envelopes > SILENT, db * LN_OF_DB, 0)

    def lengthened(self, envelopes: Tensor, octaves: Tensor) -> Tensor:
        """As a tract longer by so many octaves ``[slots, 1]`` shapes them: formants lower by as much."""
        hz = self.centres_hz * torch.exp2(octaves.double())
        mel = torch.where(hz < 1000, hz * 0.015, 15 + PER_LOG * torch.log(hz / 1000))
        at = (mel / MELS_A_BAND - 1).clamp(0, BANDS - 1)
        low = at.long().clamp(max=BANDS - 2)
        part = (at - low).float().unsqueeze(1)
        low = low.unsqueeze(1).expand(-1, 2, -1)
        below, above = envelopes.gather(2, low), envelopes.gather(2, low + 1)
        return below + part * (above - below)


def share_of_harmonics(envelopes: Tensor) -> Tensor:
    """Of the power of both ``[slots, 1]``: 1 in a vowel, 0 in a fricative."""
    power = torch.exp(2 * envelopes).sum(2)
    return power[:, :1] / (power.sum(1, keepdim=True) + torch.finfo(torch.float32).tiny)
