"""A layer that hears both ways, for the networks that only help to train."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad


class Layer(nn.Module):
    """Residual, ``[B, T, channels]``: this frame and those ``dilation`` before and after."""

    def __init__(self, channels: int, hidden: int, dilation: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(channels)
        self.up = nn.Linear(3 * channels, hidden)
        self.down = nn.Linear(hidden, channels)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.down.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        count, d = x.shape[1], self.dilation
        wide = pad(self.norm(x), (0, 0, d, d))
        near = [wide[:, shift : shift + count] for shift in (0, d, 2 * d)]
        hidden = gelu(self.up(torch.cat(near, dim=2)), approximate="tanh")
        return x + self.down(self.dropout(hidden))
