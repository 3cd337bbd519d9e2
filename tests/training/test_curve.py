"""Heads for other look-aheads hear no more than they are to."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benches.lookahead import by_lookahead
from training.curve import LOOKAHEADS, CurveConfig, CurveNetwork
from training.synthesis import HOP

FRAMES = 40


@pytest.fixture(scope="module")
def network() -> CurveNetwork:
    torch.manual_seed(3)
    network = CurveNetwork(CurveConfig()).eval().requires_grad_(False)
    for head in network.heads.values():
        head.weight.mul_(10)
    return network


def frames(seed: int = 1) -> torch.Tensor:
    return -10 + 2 * torch.randn(1, FRAMES, 80, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("lookahead", LOOKAHEADS)
def test_a_head_hears_nothing_beyond_its_frame(network: CurveNetwork, lookahead: int) -> None:
    mel, last = frames(), 20
    body, heard, _ = network.body(mel, network.start())
    answer = network.answer(str(lookahead), body, heard)
    mel[:, last + 1 :] = frames(2)[:, last + 1 :]
    body, heard, _ = network.body(mel, network.start())
    again = network.answer(str(lookahead), body, heard)
    same = (answer == again).all(dim=(0, 2, 3))
    assert same[: last + 1].all()
    assert not same[last + 1 :].any()


def test_the_bench_says_what_training_did(network: CurveNetwork, tmp_path: Path) -> None:
    save_file(network.state_dict(), tmp_path / "curve.safetensors")
    hurried = by_lookahead(tmp_path / "curve.safetensors")
    assert list(hurried) == sorted([*LOOKAHEADS, 960, 1920])
    mel = frames()
    body, heard, _ = network.body(mel, network.start())
    for lookahead, other in hurried.items():
        names = {960: "live", 1920: "studio"}
        answer = network.answer(names.get(lookahead, str(lookahead)), body, heard)
        got, _ = other(mel, other.start(), "studio")
        later = (1920 - lookahead) // HOP
        torch.testing.assert_close(got[:, later:], answer[:, : FRAMES - later])
