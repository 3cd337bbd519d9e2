"""What `Articulation` puts back after the heads, for whole crops and with gradients: training hears what a stream says."""

import torch
from torch import Tensor, nn

from persona_voice.model.network import ENVELOPE_CEILING, ENVELOPE_FLOOR
from persona_voice.model.torch_articulation import BELIEVED_HOPS, PUT_BACK, Articulation


class PutBack(nn.Module):
    """Envelopes as they leave a stream that has heard each speaker for as long as the crop lasts already.

    What is known of a speaker is learnt without gradients, in two passes over the crop, of which the second counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.articulation = Articulation()

    def forward(self, own: Tensor, answer: Tensor) -> Tensor:
        """The speakers' log amplitudes ``[B, T, 80]``, the network's ``[B, T, 2, 80]``: as many."""
        tracts, colour, mean, regression, share = self.learnt(own, answer.detach())
        cosines = self.articulation.cosines
        answered = answer.amax(2) @ cosines.T
        differences = self.articulation.differences(own.flatten(0, 1), answered.flatten(0, 1))
        differences = differences.unflatten(0, own.shape[:2]) - colour
        remains = (tracts[:, :, None] @ differences)[:, :, 0]
        remains = remains - (regression @ (answered - mean)[..., None])[..., 0]
        more = (share[..., None] * remains) @ cosines
        return (answer + more[:, :, None]).clamp(ENVELOPE_FLOOR, ENVELOPE_CEILING)

    @torch.no_grad()
    def learnt(self, own: Tensor, answer: Tensor) -> tuple[Tensor, ...]:
        """At each moment the shares of the tracts, their colours, the mean answer, the regression, and how much of what
        remains is put back."""
        known = self.articulation.start(len(own))
        for _ in range(2):
            moments = []
            for t in range(own.shape[1]):
                regression = known.regression
                known, _ = self.articulation(known, own[:, t], answer[:, t])
                speech = self.articulation.speech(answer[:, t].amax(1).mean(1), known.loudest)
                share = PUT_BACK * speech * known.heard / (known.heard + BELIEVED_HOPS)
                tracts = self.articulation.shares(known.tract)
                moments.append((tracts, known.colour, known.mean, regression, share))
        return tuple(torch.stack(each, 1) for each in zip(*moments, strict=True))
