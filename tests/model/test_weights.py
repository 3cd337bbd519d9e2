"""A weights file is whole and right, or it is refused with what was expected and found."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from persona_voice.errors import WeightsError
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import network_of, weights_of
from persona_voice.model.weights import Weights, read_weights, save_weights

TINY = NetworkConfig(channels=8, hidden=8, input_frames=2, dilations=(1, 2))


def saved(folder: Path) -> Path:
    torch.manual_seed(1)
    file = folder / "tiny.safetensors"
    save_weights(weights_of(ConverterNetwork(TINY)), file, {"steps": "0"})
    return file


def code_of(file: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_weights(file)
    assert "\n" not in str(caught.value)
    return caught.value.code


def test_a_network_survives_the_file_within_half_precision(tmp_path: Path) -> None:
    network = network_of(read_weights(saved(tmp_path)))
    torch.manual_seed(1)
    wanted = ConverterNetwork(TINY)
    assert network.config == TINY
    for one, two in zip(network.parameters(), wanted.parameters(), strict=True):
        assert torch.equal(one, two.half().float())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert code_of(tmp_path / "nothing.safetensors") == "weights_missing"


def test_a_truncated_file_is_damaged(tmp_path: Path) -> None:
    file = saved(tmp_path)
    file.write_bytes(file.read_bytes()[:-100])
    assert code_of(file) == "weights_damaged"


def test_a_file_of_other_bytes_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "noise.safetensors"
    file.write_bytes(bytes(range(256)) * 10)
    assert code_of(file) == "weights_damaged"


def test_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(3)}, str(file), metadata={"format": "somebody else's 3"})
    assert code_of(file) == "weights_format"


def test_a_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    other = ConverterNetwork(NetworkConfig(channels=16, hidden=8, input_frames=2, dilations=(1, 2)))
    file = tmp_path / "shape.safetensors"
    save_weights(Weights(TINY, weights_of(other).tensors), file, {})
    assert code_of(file) == "weights_shape"


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network = ConverterNetwork(TINY)
    with torch.no_grad():
        network.enter.bias[0] = float("nan")
    file = tmp_path / "nan.safetensors"
    save_weights(weights_of(network), file, {})
    assert code_of(file) == "weights_not_finite"


def test_a_tensor_too_few_or_too_many_is_refused(tmp_path: Path) -> None:
    tensors = weights_of(ConverterNetwork(TINY)).tensors
    file = tmp_path / "some.safetensors"
    save_weights(Weights(TINY, {k: v for k, v in tensors.items() if k != "norm.weight"}), file, {})
    assert code_of(file) == "weights_shape"
    save_weights(Weights(TINY, tensors | {"more": tensors["norm.weight"]}), file, {})
    assert code_of(file) == "weights_shape"


def test_the_shapes_are_those_of_the_network() -> None:
    network = ConverterNetwork(TINY)
    shapes = {name: tuple(of.shape) for name, of in network.state_dict().items()}
    assert shapes == TINY.shapes()
