"""The network hears nothing of the future, and cuts change nothing."""

import numpy as np
import pytest
import torch

from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import TorchConverter

TINY = NetworkConfig(channels=16, hidden=24, input_frames=3, dilations=(1, 2, 4))


@pytest.fixture(scope="module")
def network() -> ConverterNetwork:
    torch.manual_seed(3)
    network = ConverterNetwork(TINY).eval()
    with torch.no_grad():  # away from the gentle start, where a layer hardly matters
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    rng = np.random.default_rng(5)
    return (-10 + 3 * rng.standard_normal((60, 80))).astype(np.float32)


def run(converter: TorchConverter, frames: np.ndarray, cuts: list[int]) -> np.ndarray:
    state, out, at = converter.start(), [], 0
    for cut in [*cuts, len(frames) - sum(cuts)]:
        state, envelopes = converter.step(state, frames[at : at + cut])
        out.append(envelopes)
        at += cut
    return np.concatenate(out)


@pytest.mark.parametrize("mode", ["live", "studio"])
@pytest.mark.parametrize("cuts", [[1] * 59, [7, 0, 13, 1], [30], [59]])
def test_a_stream_in_blocks_equals_the_whole(
    network: ConverterNetwork, frames: np.ndarray, mode: str, cuts: list[int]
) -> None:
    converter = TorchConverter(network, mode)
    whole = run(converter, frames, [])
    assert np.abs(run(converter, frames, cuts) - whole).max() < 1e-5


def test_later_frames_do_not_change_earlier_envelopes(
    network: ConverterNetwork, frames: np.ndarray
) -> None:
    converter = TorchConverter(network, "live")
    changed = frames.copy()
    changed[40:] += 5.0
    before, after = run(converter, frames, []), run(converter, changed, [])
    assert np.array_equal(before[:40], after[:40])
    assert np.abs(before[40] - after[40]).max() > 1e-3


def test_the_past_reaches_as_far_as_the_layers_say(
    network: ConverterNetwork, frames: np.ndarray
) -> None:
    reach = max(TINY.input_frames - 1 + sum(TINY.dilations), TINY.late("live"))
    changed = frames.copy()
    changed[10] += 5.0
    with torch.inference_mode():
        one, other = (
            network(torch.from_numpy(x)[None], network.start(), "live")[0][0]
            for x in (frames, changed)
        )
    difference = (one - other).abs().amax(dim=(1, 2))
    assert difference[10 + reach] > 0
    assert bool((difference[11 + reach :] == 0).all())


def test_a_state_is_never_changed_in_place(network: ConverterNetwork, frames: np.ndarray) -> None:
    converter = TorchConverter(network, "live")
    state, _ = converter.step(converter.start(), frames[:20])
    kept = [part.clone() for part in state[0]]
    one = converter.step(state, frames[20:])[1]
    two = converter.step(state, frames[20:])[1]
    assert np.array_equal(one, two)
    assert all(torch.equal(a, b) for a, b in zip(state[0], kept, strict=True))


def test_the_two_heads_answer_differently(network: ConverterNetwork, frames: np.ndarray) -> None:
    live = run(TorchConverter(network, "live"), frames, [])
    studio = run(TorchConverter(network, "studio"), frames, [])
    assert np.abs(live - studio).max() > 1e-3


def test_the_network_as_shipped_is_small() -> None:
    network = ConverterNetwork(NetworkConfig())
    parameters = sum(p.numel() for p in network.parameters())
    products = sum(p.numel() for p in network.parameters() if p.dim() == 2)
    assert parameters <= 3_000_000
    assert 2 * products * 100 <= 0.8e9  # FLOP per second of sound, both heads counted
