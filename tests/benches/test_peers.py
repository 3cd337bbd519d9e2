"""Whatever runs the network elsewhere for the bench `convert` answers as torch does."""

import numpy as np
import pytest
import torch
from torch import nn

from benches.llvc import CHUNK, Llvc
from benches.peers import Array, OneHead, Step, for_onnx, onnx_step, torch_step
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork

TOLERANCE = 1e-4
BLOCKS = 12


def tiny() -> ConverterNetwork:
    torch.manual_seed(6)
    config = NetworkConfig(channels=16, hidden=24, input_frames=3, dilations=(1, 2, 4))
    network = ConverterNetwork(config).requires_grad_(False)
    for parameter in network.parameters():  # away from the gentle start
        parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def frames(hops: int) -> Array:
    """``[blocks, 1, hops, 80]``"""
    rng = np.random.default_rng(7)
    return (-10 + 4 * rng.standard_normal((BLOCKS, 1, hops, 80))).astype(np.float32)


def whole(module: nn.Module, blocks: Array, axis: int) -> Array:
    """The answers to the blocks as one, block by block again."""
    joined = torch.from_numpy(np.concatenate(list(blocks), axis))
    with torch.inference_mode():
        answer = module(joined, *module.start(blocks.shape[1]))[0].numpy()
    return np.stack(np.split(answer, BLOCKS, axis))


def check(step: Step, blocks: Array, expected: Array) -> None:
    got = np.stack([step(block) for block in blocks])
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < TOLERANCE
    # The mutant: a block late is far outside.
    assert np.abs(got[1:] - expected[:-1]).max() > 100 * TOLERANCE


def needs_onnx_runtime() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} comes with the extra bench")


@pytest.mark.parametrize("hops", [1, 4])
def test_torch_hop_by_hop_answers_as_over_the_whole(hops: int) -> None:
    module, blocks = OneHead(tiny(), "live"), frames(hops)
    check(torch_step(module), blocks, whole(module, blocks, 1))


@pytest.mark.parametrize("hops", [1, 4])
def test_onnx_runtime_answers_as_torch(hops: int) -> None:
    needs_onnx_runtime()
    expected = whole(OneHead(tiny(), "live"), frames(hops), 1)
    step = onnx_step(OneHead(for_onnx(tiny()), "live"), (1, hops, 80))
    check(step, frames(hops), expected)


def test_the_network_made_for_onnx_runtime_is_the_same() -> None:
    one, other = (OneHead(network, "live") for network in (tiny(), for_onnx(tiny())))
    assert np.abs(whole(one, frames(1), 1) - whole(other, frames(1), 1)).max() < 1e-5


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_runtime_answers_as_llvc_in_torch(batch: int) -> None:
    needs_onnx_runtime()
    torch.manual_seed(8)
    net = Llvc().eval().requires_grad_(False)
    rng = np.random.default_rng(9)
    blocks = (0.3 * rng.standard_normal((BLOCKS, batch, 1, CHUNK))).astype(np.float32)
    check(onnx_step(net, (batch, 1, CHUNK)), blocks, whole(net, blocks, 2))
