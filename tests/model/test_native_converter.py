"""The Rust core computes what torch does, however the stream is cut."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from persona_voice.build import open_stream, weights_folder
from persona_voice.converter import MODES
from persona_voice.errors import SettingError, WeightsError
from persona_voice.model.config import NetworkConfig
from persona_voice.model.native_converter import NativeConverter
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import TorchConverter, network_of, weights_of
from persona_voice.model.weights import Weights, read_weights
from persona_voice.path.offline import convert_array

TOLERANCE = 1e-4  # nepers
SHAPES = {
    "tiny": NetworkConfig(channels=16, hidden=24, input_frames=3, dilations=(1, 2, 4)),
    "odd": NetworkConfig(channels=37, hidden=41, input_frames=1, dilations=(3, 1)),
    "deep": NetworkConfig(channels=64, hidden=32, input_frames=9, dilations=(1, 2, 4, 8, 16, 32)),
}


def weights_named(name: str) -> Weights:
    if name in SHAPES:
        torch.manual_seed(3)
        network = ConverterNetwork(SHAPES[name])
        with torch.no_grad():  # away from the gentle start, where a layer hardly matters
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return weights_of(network)
    return read_weights(weights_folder() / name)


every = pytest.mark.parametrize(
    "name",
    [*SHAPES, *sorted(file.name for file in weights_folder().glob("converter*.safetensors"))],
)


def frames(count: int, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (-10 + 4 * rng.standard_normal((count, 80))).astype(np.float32)


@every
@pytest.mark.parametrize("mode", MODES)
def test_native_and_torch_agree_on_every_frame(name: str, mode: str) -> None:
    weights, x = weights_named(name), frames(300)
    native, slow = NativeConverter(weights, mode), TorchConverter(network_of(weights), mode)
    assert native.lookahead == slow.lookahead
    got, expected = native.step(native.start(), x)[1], slow.step(slow.start(), x)[1]
    assert np.abs(got - expected).max() < TOLERANCE
    # The mutant: a frame late is far outside.
    assert np.abs(got[1:] - expected[:-1]).max() > 100 * TOLERANCE


@every
def test_however_the_frames_are_cut_the_envelopes_are_equal(name: str) -> None:
    native, x = NativeConverter(weights_named(name), "live"), frames(120)
    whole = native.step(native.start(), x)[1]
    for cuts in ([1] * 119, [0, 40, 0, 17, 1], [16, 32]):
        state, parts = native.start(), []
        for part in np.split(x, np.cumsum(cuts)):
            state, out = native.step(state, np.ascontiguousarray(part))
            parts.append(out)
        assert np.array_equal(np.concatenate(parts), whole)


def test_a_state_is_never_changed_in_place() -> None:
    native, x = NativeConverter(weights_named("tiny"), "live"), frames(60)
    state, _ = native.step(native.start(), x[:20])
    one, two = native.step(state, x[20:])[1], native.step(state, x[20:])[1]
    assert np.array_equal(one, two)


def test_the_whole_path_sounds_the_same_with_either_engine() -> None:
    rng = np.random.default_rng(2)
    x = (0.1 * rng.standard_normal(24_000)).astype(np.float32)
    streams = [open_stream("samantha", 24_000, engine=engine) for engine in ("native", "torch")]
    one, other = (convert_array(stream, x) for stream in streams)
    assert np.abs(one).max() > 0.01
    assert np.abs(one - other).max() < TOLERANCE


def test_an_engine_must_be_known() -> None:
    with pytest.raises(SettingError) as caught:
        open_stream("samantha", engine="steam")
    assert str(caught.value) == "engine must be one of auto, native, torch, got 'steam'"


def test_without_torch_only_its_engine_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("persona_voice.model.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("persona_voice.model.torch_converter", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert open_stream("samantha").process(np.zeros(480, np.float32)).shape == (480,)
    with pytest.raises(WeightsError) as caught:
        open_stream("samantha", engine="torch")
    assert caught.value.code == "no_torch"


def test_a_tensor_of_another_length_is_refused_by_the_core() -> None:
    weights = weights_named("tiny")
    short = Weights(weights.config, weights.tensors | {"norm.weight": np.zeros(3, np.float32)})
    with pytest.raises(SettingError) as caught:
        NativeConverter(short, "live")
    assert caught.value.code == "wrong_shape"


def test_the_folder_of_weights_is_not_empty() -> None:
    assert list(Path(weights_folder()).glob("converter*.safetensors"))
