"""What a run's weights become when they are the persona's."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from persona_voice.model.config import NetworkConfig
from persona_voice.model.contrast import CONTRAST, SHAPE, contrast
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import FORMAT, read_weights
from training.export import export, scale_contrast

CONFIG = NetworkConfig(channels=16, hidden=24, input_frames=3, dilations=(1, 2))
K = np.arange(80)
COSINES = np.cos(np.pi * np.outer(K, K + 0.5) / 80)


def saved(file: Path, config: NetworkConfig = CONFIG, seed: int = 5) -> ConverterNetwork:
    """As a run leaves it."""
    torch.manual_seed(seed)
    network = ConverterNetwork(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    state = {"average": network.state_dict(), "config": asdict(config), "step": 7}
    torch.save(state | {"format": FORMAT}, file)
    return network


def test_answers_have_more_contrast_and_the_same_level_and_tilt(tmp_path: Path) -> None:
    network = saved(tmp_path / "some.pt")
    export(tmp_path / "some.pt", tmp_path / "out.safetensors")
    x = (-10 + 2 * np.random.default_rng(1).standard_normal((30, 80))).astype(np.float32)
    answers = []
    for of in (network, network_of(read_weights(tmp_path / "out.safetensors"))):
        with torch.inference_mode():
            answer = of(torch.from_numpy(x)[None], of.start(), "live")[0]
        answers.append(answer.reshape(-1, 80).numpy())
    before, after = (answer @ COSINES.T for answer in answers)
    wanted = before.copy()
    wanted[:, SHAPE] *= CONTRAST
    assert np.abs(after - wanted).max() < 0.02 * np.abs(before[:, SHAPE]).max()  # half floats
    assert np.abs(after - before)[:, SHAPE].max() > 0.05 * np.abs(before[:, SHAPE]).max()


def test_contrast_is_taken_back_as_it_was_given() -> None:
    torch.manual_seed(5)
    network = ConverterNetwork(CONFIG)
    before = network.heads["live"].weight.clone()
    scale_contrast(network)
    assert not torch.allclose(network.heads["live"].weight, before, atol=1e-3)
    scale_contrast(network, back=True)
    assert torch.allclose(network.heads["live"].weight, before, atol=1e-6)


def test_a_shift_of_all_bands_passes_unchanged() -> None:
    ones = np.concatenate([np.ones(80), np.zeros(80)])
    assert np.allclose(contrast(CONTRAST) @ ones, ones, atol=1e-9)


def test_a_run_of_another_format_is_refused(tmp_path: Path) -> None:
    torch.save({"format": "something else"}, tmp_path / "other.pt")
    with pytest.raises(SystemExit, match="must be of"):
        export(tmp_path / "other.pt", tmp_path / "out.safetensors")


def test_a_mean_lies_half_way_between_two_exports(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.safetensors" for name in ("one", "other", "mean")]
    for seed, file in enumerate(files[:2]):
        saved(file.with_suffix(".pt"), seed=seed)
        export(file.with_suffix(".pt"), file)
    export(tmp_path / "one.pt", files[2], mean_with=files[1])
    one, other, mean = (read_weights(file).tensors for file in files)
    for name, of in mean.items():
        np.testing.assert_allclose(of, (one[name] + other[name]) / 2, atol=1e-3)
    assert np.abs(one["heads.live.weight"] - mean["heads.live.weight"]).max() > 0.01


def test_a_mean_with_weights_of_another_network_is_refused(tmp_path: Path) -> None:
    other = NetworkConfig(channels=8, hidden=24, input_frames=3, dilations=(1, 2))
    saved(tmp_path / "other.pt", other)
    export(tmp_path / "other.pt", tmp_path / "other.safetensors")
    saved(tmp_path / "one.pt")
    with pytest.raises(SystemExit, match="of another network"):
        export(tmp_path / "one.pt", tmp_path / "mean.safetensors", tmp_path / "other.safetensors")
