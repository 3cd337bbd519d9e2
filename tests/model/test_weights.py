"""A weights file is whole and right, or it is refused with what was expected and found."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from persona_voice import _core
from persona_voice.errors import SettingError, WeightsError
from persona_voice.model import config
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import network_of, weights_of
from persona_voice.model.weights import FORMAT, Weights, read_weights, save_weights

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
    with pytest.raises(WeightsError, match=r"finite numbers only; enter\.bias does not") as caught:
        read_weights(file)
    assert caught.value.code == "weights_not_finite"


def test_a_tensor_too_few_or_too_many_is_refused(tmp_path: Path) -> None:
    tensors = weights_of(ConverterNetwork(TINY)).tensors
    file = tmp_path / "some.safetensors"
    save_weights(Weights(TINY, {k: v for k, v in tensors.items() if k != "norm.weight"}), file, {})
    assert code_of(file) == "weights_shape"
    save_weights(Weights(TINY, tensors | {"more": tensors["norm.weight"]}), file, {})
    assert code_of(file) == "weights_shape"


def described(folder: Path, config: str) -> str:
    """What is said of weights that describe their network so; no tensor of them is looked at."""
    file = folder / "described.safetensors"
    save_file({"x": torch.zeros(3)}, str(file), metadata={"format": FORMAT, "config": config})
    with pytest.raises(WeightsError) as caught:
        read_weights(file)
    assert caught.value.code == "weights_shape"
    told = str(caught.value).removeprefix(f"{file} must describe its network: ")
    assert len(told) < 300
    return told


@pytest.mark.parametrize("key", ["channels", "hidden", "input_frames", "live_lookahead"])
@pytest.mark.parametrize(
    ("wild", "got"),
    [
        (0, "0"),
        (-5, "-5"),
        (10**12, "1000000000000"),
        (10**400, "100000000000000000...0000000000000000000"),
        (True, "True"),
        (8.0, "8.0"),
        (float("nan"), "nan"),
        ("8", "'8'"),
        (None, "None"),
        ([8], "[8]"),
        ({"of": 8}, "{'of': 8}"),
    ],
)
def test_a_number_of_the_network_must_be_one(
    tmp_path: Path, key: str, wild: object, got: str
) -> None:
    told = described(tmp_path, json.dumps(asdict(TINY) | {key: wild}))
    rule = rf"{key}( in samples)? must be a whole number in \d+\.\.=\d+"
    assert re.fullmatch(rf"{rule}, got {re.escape(got)}", told), told


@pytest.mark.parametrize(
    ("dilations", "text"),
    [
        (3, "dilations must be a list, a number for each layer, got 3"),
        ("12", "dilations must be a list, a number for each layer, got '12'"),
        ({"1": 2}, "dilations must be a list, a number for each layer, got {'1': 2}"),
        ([], "the number of layers must be a whole number in 1..=64, got 0"),
        ([1] * 65, "the number of layers must be a whole number in 1..=64, got 65"),
        ([1, 0], "a dilation in frames must be a whole number in 1..=1000, got 0"),
        ([1, 1001], "a dilation in frames must be a whole number in 1..=1000, got 1001"),
        ([[1], 2], "a dilation in frames must be a whole number in 1..=1000, got [1]"),
        ([False], "a dilation in frames must be a whole number in 1..=1000, got False"),
    ],
)
def test_dilations_must_be_a_list_of_numbers(tmp_path: Path, dilations: object, text: str) -> None:
    assert described(tmp_path, json.dumps(asdict(TINY) | {"dilations": dilations})) == text


@pytest.mark.parametrize(
    ("key", "lookahead", "text"),
    [
        ("live_lookahead", 0, "must be a whole number in 240..=48000, got 0"),
        ("studio_lookahead", 48_240, "must be a whole number in 240..=48000, got 48240"),
        ("live_lookahead", 961, "must be whole hops of 240, got 961"),
    ],
)
def test_a_lookahead_must_be_one_that_the_path_takes(
    tmp_path: Path, key: str, lookahead: int, text: str
) -> None:
    told = described(tmp_path, json.dumps(asdict(TINY) | {key: lookahead}))
    assert told == f"{key} in samples {text}"


ALL = "channels, hidden, input_frames, dilations, live_lookahead, studio_lookahead"


@pytest.mark.parametrize(
    ("text_of_it", "told"),
    [
        ("[1, 2]", f"it must hold exactly {ALL}, got [1, 2]"),
        ('"channels"', f"it must hold exactly {ALL}, got 'channels'"),
        ('{"channels": 8}', f"it must hold exactly {ALL}, got ['channels']"),
        ("", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_a_description_must_be_whole(tmp_path: Path, text_of_it: str, told: str) -> None:
    assert described(tmp_path, text_of_it) == told


def test_a_description_of_more_than_the_network_is_refused(tmp_path: Path) -> None:
    told = described(tmp_path, json.dumps(asdict(TINY) | {"activation": "relu"}))
    assert told.startswith(f"it must hold exactly {ALL}, got ['channels'")


def test_a_description_that_is_nested_for_ever_is_refused(tmp_path: Path) -> None:
    assert "recursion" in described(tmp_path, "[" * 100_000)


def core_takes(**other: object) -> bool:
    """Whether the core has nothing against such a shape; its tensors are not there."""
    tiny = {"channels": 8, "hidden": 8, "input_frames": 2, "dilations": [1, 2], "late": 3}
    with pytest.raises(SettingError) as caught:
        _core.Network(**tiny | {"tensors": {}} | other)
    return caught.value.code == "wrong_shape"


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("channels", config.MOST_CHANNELS),
        ("hidden", config.MOST_HIDDEN),
        ("input_frames", config.MOST_INPUT_FRAMES),
    ],
)
def test_the_bounds_of_a_number_are_those_of_the_core(key: str, most: int) -> None:
    for number, good in ((0, False), (1, True), (most, True), (most + 1, False)):
        assert core_takes(**{key: number}) == good
        if good:
            replace(TINY, **{key: number})


def test_the_bounds_of_layers_are_those_of_the_core() -> None:
    most, longest = config.MOST_LAYERS, config.MOST_DILATION_FRAMES
    replace(TINY, dilations=(longest,) * most)
    assert core_takes(dilations=[longest] * most)
    for wild in ([1] * (most + 1), [longest + 1], [0], []):
        assert not core_takes(dilations=wild)


def test_the_bounds_of_a_lookahead_are_those_of_the_core() -> None:
    def taken(lookahead: int) -> bool:
        settings = {"sample_rate": 24_000, "register_hz": 200.0, "range": 1.0, "seed": 1}
        try:
            _core.Path(lookahead=lookahead, **settings)
        except SettingError:
            return False
        return True

    least, most = config.LEAST_LOOKAHEAD, config.MOST_LOOKAHEAD
    assert [taken(n) for n in (least - 1, least, most, most + 1)] == [False, True, True, False]
    widest = replace(TINY, live_lookahead=least, studio_lookahead=most)
    assert all(core_takes(late=widest.late(mode)) for mode in ("live", "studio"))


def test_a_tensor_that_is_not_of_half_floats_is_refused(tmp_path: Path) -> None:
    tensors = {name: torch.zeros(shape).half() for name, shape in TINY.shapes().items()}
    file = tmp_path / "wide.safetensors"
    facts = {"format": FORMAT, "config": json.dumps(asdict(TINY))}
    for dtype, named in ((torch.float32, "F32"), (torch.bfloat16, "BF16"), (torch.int64, "I64")):
        wrong = tensors | {"norm.weight": torch.zeros(8, dtype=dtype)}
        save_file(wrong, str(file), metadata=facts)
        with pytest.raises(WeightsError) as caught:
            read_weights(file)
        assert str(caught.value) == f"{file} must hold half floats, and norm.weight is {named}"
    save_file(tensors, str(file), metadata=facts)
    assert read_weights(file).config == TINY


def test_the_shapes_are_those_of_the_network() -> None:
    network = ConverterNetwork(TINY)
    shapes = {name: tuple(of.shape) for name, of in network.state_dict().items()}
    assert shapes == TINY.shapes()
