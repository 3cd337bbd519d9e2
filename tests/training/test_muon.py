"""The optimiser of the hidden matrices."""

import torch

from training.muon import Muon


def test_each_matrix_of_a_group_takes_an_orthogonal_step() -> None:
    torch.manual_seed(0)
    matrix = torch.nn.Parameter(torch.zeros(48, 64))
    optimizer = Muon([{"params": [matrix], "taps": 2}], lr=1.0, weight_decay=0.0)
    matrix.grad = torch.cat([torch.randn(48, 32), 1e-3 * torch.randn(48, 32)], dim=1)
    optimizer.step()
    step = matrix.detach() / (0.2 * 48**0.5)
    for tap in step.chunk(2, dim=1):  # the small gradient counts as much as the large one
        powers = torch.linalg.svdvals(tap)
        assert float(powers.min()) > 0.5
        assert float(powers.max()) < 1.5


def test_a_step_is_against_the_gradient() -> None:
    matrix = torch.nn.Parameter(torch.eye(8))
    optimizer = Muon([matrix], lr=0.01)
    for _ in range(150):
        loss = matrix.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(matrix.detach().square().sum()) < 0.1
