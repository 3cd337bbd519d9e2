"""The core's ``Articulation`` for many streams at once, in torch: a row for each."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from persona_voice.converter import BANDS
from persona_voice.model.network import ENVELOPE_CEILING, ENVELOPE_FLOOR

# What each of these is for, rust_core/src/articulation.rs says.
CEPSTRA, TRACTS = 21, 9
MOST_MOVED, BREAK_BAND = 3.7, 23.0
UNLIKELY, PRIOR_HOPS, CLEARLY, TRACT_STEP = 0.1, 50.0, 0.02, 0.05
COLOUR_HOPS, BELIEVED_HOPS, REGRESSION_PRIOR = 500.0, 30.0, 800.0
PUT_BACK = 0.8
QUIETER, SILENCE, STEEPNESS, FADING, FLOOR = 4.5, -11.0, 1.5, 0.002, -14.0


class Articulated(NamedTuple):
    """What is known of each speaker."""

    colour: Tensor  # [slots, tracts, cepstra]
    distance: Tensor  # [slots, tracts]
    mean: Tensor  # [slots, cepstra]
    power: Tensor  # [slots, cepstra]
    regression: Tensor  # [slots, cepstra of what remains, cepstra of the answer]
    heard: Tensor  # [slots], as all below: hops
    compared: Tensor
    tract: Tensor  # 0 to 8
    loudest: Tensor  # log amplitude


class Articulation(nn.Module):
    """Gives envelopes back what the mean of all likely answers lacks; equal to the core's within 1e-4."""

    cosines: Tensor
    tracts: Tensor
    unlikely: Tensor
    numbers: Tensor

    def __init__(self) -> None:
        super().__init__()
        bands = torch.arange(BANDS, dtype=torch.float64)
        halves = torch.arange(1, CEPSTRA + 1, dtype=torch.float64)[:, None]
        cosines = torch.cos(math.pi / BANDS * halves * (bands + 0.5)) * math.sqrt(2 / BANDS)
        numbers = torch.arange(TRACTS)
        moved = (numbers / (TRACTS // 2) - 1).double()
        tracts = torch.stack([cosines @ read_from(MOST_MOVED * float(by)) for by in moved])
        self.register_buffer("cosines", cosines.float())
        self.register_buffer("tracts", tracts.flatten(0, 1).T.float())
        self.register_buffer("unlikely", (UNLIKELY * moved * moved).float())
        self.register_buffer("numbers", numbers.float())

    def start(self, slots: int) -> Articulated:
        """Of speakers who have not spoken yet."""
        zeros = self.unlikely.new_zeros
        return Articulated(
            zeros(slots, TRACTS, CEPSTRA),
            self.unlikely.repeat(slots, 1),
            zeros(slots, CEPSTRA),
            zeros(slots, CEPSTRA),
            zeros(slots, CEPSTRA, CEPSTRA),
            zeros(slots),
            zeros(slots) + PRIOR_HOPS,
            zeros(slots) + TRACTS // 2,
            zeros(slots) + ENVELOPE_FLOOR,
        )

    def forward(
        self, known: Articulated, own: Tensor, answer: Tensor
    ) -> tuple[Articulated, Tensor]:
        """The speakers' log amplitudes ``[slots, 80]``, the network's ``[slots, 2, 80]``: as many."""
        whole = answer.amax(1)
        level = whole.mean(1)
        loudest = torch.fmax(level, known.loudest - FADING)
        speech = self.speech(level, loudest)
        answered = whole @ self.cosines.T
        differences = self.differences(own, answered)
        known = self.learn(known._replace(loudest=loudest), differences, speech)
        known, remains = self.without_regression(
            known, self.remains(known, differences), answered, speech[:, None]
        )
        return known, self.put_back(known, answer, remains, speech)

    def speech(self, level: Tensor, loudest: Tensor) -> Tensor:
        """How sure it is that somebody speaks, from the mean log amplitude and the loudest of late."""
        return torch.sigmoid(STEEPNESS * (level - loudest + QUIETER)) * (level >= SILENCE)

    def differences(self, own: Tensor, answered: Tensor) -> Tensor:
        """The speaker's cepstra through each tract less the answer's, ``[slots, tracts, cepstra]``."""
        heard = own.nan_to_num(FLOOR).clamp(FLOOR, ENVELOPE_CEILING) @ self.tracts
        return heard.view(-1, TRACTS, CEPSTRA) - answered[:, None]

    def learn(self, known: Articulated, differences: Tensor, speech: Tensor) -> Articulated:
        heard = known.heard + speech * (1 - known.heard / COLOUR_HOPS)
        compared = known.compared + speech * (1 - known.compared / COLOUR_HOPS)
        # Nobody has been heard where nothing was: the divisor is held off zero.
        newer = (speech / heard.clamp(min=1e-20))[:, None, None]
        colour = known.colour + newer * (differences - known.colour)
        squares = (differences - colour).square().mean(2)
        nearer = (speech / compared)[:, None]
        distance = known.distance + nearer * (squares - known.distance)
        likely = torch.softmax(-distance / CLEARLY, 1) @ self.numbers
        tract = known.tract + TRACT_STEP * speech * (likely - known.tract)
        return known._replace(
            colour=colour, distance=distance, heard=heard, compared=compared, tract=tract
        )

    def remains(self, known: Articulated, differences: Tensor) -> Tensor:
        """The differences through the speaker's tract, between two of those tried, without the colour."""
        shares = (1 - (known.tract[:, None] - self.numbers).abs()).clamp(min=0)
        return torch.einsum("st,stk->sk", shares, differences - known.colour)

    def without_regression(
        self, known: Articulated, remains: Tensor, answered: Tensor, speech: Tensor
    ) -> tuple[Articulated, Tensor]:
        """What of the remains does not follow from the answer, ``[slots, cepstra]``."""
        newer = speech / known.heard.clamp(min=1e-20)[:, None]
        mean = known.mean + newer * (answered - known.mean)
        deviation = answered - mean
        power = known.power + speech * (deviation.square() - known.power / COLOUR_HOPS)
        step = speech * deviation / (REGRESSION_PRIOR + power)
        step = step / (1 + (step * deviation).sum(1, keepdim=True))
        remains = remains - torch.einsum("sij,sj->si", known.regression, deviation)
        regression = known.regression + remains[:, :, None] * step[:, None]
        return known._replace(mean=mean, power=power, regression=regression), remains

    def put_back(
        self, known: Articulated, answer: Tensor, remains: Tensor, speech: Tensor
    ) -> Tensor:
        """The envelopes with what remains, as far as the speaker is known."""
        share = PUT_BACK * speech * known.heard / (known.heard + BELIEVED_HOPS)
        more = (share[:, None] * remains) @ self.cosines
        return (answer + more[:, None]).clamp(ENVELOPE_FLOOR, ENVELOPE_CEILING)


def read_from(moved: float) -> Tensor:
    """``[80, 80]``: envelopes whose bands are read `moved` bands further up, less below 1 kHz."""
    bands = torch.arange(BANDS, dtype=torch.float64)
    at = (bands + moved * (bands / BREAK_BAND).clamp(max=1)).clamp(0, BANDS - 1)
    return (1 - (at[:, None] - bands).abs()).clamp(min=0)
