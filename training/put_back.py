"""What `Articulation` puts back after the heads, for whole crops and with gradients: training hears what a stream says."""

import torch
from torch import Tensor, nn

from persona_voice.model.torch_articulation import Articulated, Articulation


class PutBack(nn.Module):
    """Envelopes as they leave a stream that has heard each speaker for as long as the crop lasts already.

    What is known of a speaker is learnt without gradients, in two passes over the crop, of which the second counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.articulation = Articulation()

    def forward(self, own: Tensor, answer: Tensor) -> Tensor:
        """The speakers' log amplitudes ``[B, T, 80]``, the network's ``[B, T, 2, 80]``: as many."""
        articulation, count = self.articulation, own.shape[:2]
        # Every moment is a slot of its own: what was known then is known.
        known = Articulated(*(of.flatten(0, 1) for of in self.learnt(own, answer.detach())))
        own, answer = own.flatten(0, 1), answer.flatten(0, 1)
        whole = answer.amax(1)
        answered = whole @ articulation.cosines.T
        remains = articulation.remains(known, articulation.differences(own, answered))
        remains = remains - torch.einsum("sij,sj->si", known.regression, answered - known.mean)
        speech = articulation.speech(whole.detach().mean(1), known.loudest)
        return articulation.put_back(known, answer, remains, speech).unflatten(0, count)

    @torch.no_grad()
    def learnt(self, own: Tensor, answer: Tensor) -> Articulated:
        """At each moment ``[B, T, ...]`` what was known when it was put back: all, but the regression of before."""
        known = self.articulation.start(len(own))
        for _ in range(2):
            moments = []
            for t in range(own.shape[1]):
                regression = known.regression
                known, _ = self.articulation(known, own[:, t], answer[:, t])
                moments.append(known._replace(regression=regression))
        return Articulated(*(torch.stack(each, 1) for each in zip(*moments, strict=True)))
