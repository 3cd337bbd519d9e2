"""Learning that is stopped and goes on is the same as learning that is not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training import learning


def learnt(file: Path, stop_at: int | None = None) -> dict[str, Tensor]:
    """A line through points, with dropout; `stop_at`: the batch at which the run is killed."""
    torch.manual_seed(0)
    network, batches = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1)), 0

    def loss(rng: np.random.Generator, *, held_out: bool) -> Tensor:
        nonlocal batches
        batches += not held_out
        if batches == stop_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(rng.standard_normal((32, 3), np.float32))
        return (network(x)[:, 0] - x.sum(1)).square().mean()

    learning.learn(network, lambda: loss, file, steps=60, rate=0.05, seed=1)
    assert not network.training
    return network.state_dict()


def test_a_stopped_run_goes_on_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EVERY", 20)
    whole = learnt(tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        learnt(tmp_path / "stopped.pt", stop_at=50)
    assert not (tmp_path / "stopped.pt").exists()
    assert (tmp_path / "stopped.pt.part").exists()
    gone_on = learnt(tmp_path / "stopped.pt")
    assert not (tmp_path / "stopped.pt.part").exists()
    for name, weight in whole.items():
        assert torch.equal(gone_on[name], weight), name


def test_what_is_learnt_is_loaded_and_not_learnt_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once = learnt(tmp_path / "line.pt")
    losses = [line.split()[2].rstrip(",") for line in capsys.readouterr().out.splitlines()]
    assert float(losses[-1]) < 1.5  # 3 is the variance of the sum
    again = learnt(tmp_path / "line.pt", stop_at=1)
    assert not capsys.readouterr().out
    assert all(torch.equal(again[name], weight) for name, weight in once.items())
