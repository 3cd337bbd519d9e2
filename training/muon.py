"""The optimiser of the hidden matrices: momentum, made orthogonal (Muon; Jordan et al. 2024).

Of torch's own (since 2.9) the iteration runs in bfloat16, which most processors only emulate.
"""

import torch
from torch import Tensor

# Quintic Newton-Schulz: brings every singular value near 1 in five rounds.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonal(x: Tensor) -> Tensor:
    """The nearest orthogonal matrices to ``[..., rows, columns]``, about."""
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For matrices only. The step is scaled to AdamW's size, so that one rate serves both.

    Groups may say ``taps``: matrices side by side in one, each of which is made orthogonal by itself.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        standard = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "taps": 1}
        super().__init__(params, standard)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for parameters in shapes.values():
                ahead = []
                for parameter in parameters:
                    state = self.state[parameter]
                    if not state:
                        state["mean"] = torch.zeros_like(parameter)
                    state["mean"].lerp_(parameter.grad, 1 - group["momentum"])
                    ahead.append(parameter.grad.lerp(state["mean"], group["momentum"]))
                taps = torch.stack(ahead).chunk(group["taps"], dim=2)
                size = 0.2 * max(taps[0].shape[1:]) ** 0.5
                ways = torch.cat([orthogonal(tap) for tap in taps], dim=2)
                for parameter, way in zip(parameters, ways, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(way, alpha=-group["lr"] * size)
