"""A run may begin where exported weights stand."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from persona_voice.build import weights_folder
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import weights_of
from persona_voice.model.weights import read_weights, save_weights
from persona_voice.persona.persona import load_persona
from training import listener
from training.export import export
from training.train import Trainer


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.setattr(listener, "load", lambda _cache: listener.Listener())
    return argparse.Namespace(cache=tmp_path, run="some", rate=1e-3, steps=10, begin=None)


def test_a_run_begins_from_exported_weights_without_their_contrast(
    options: argparse.Namespace, tmp_path: Path
) -> None:
    options.begin = weights_folder() / load_persona("samantha").weights
    Trainer(options).save()
    export(tmp_path / "runs" / "some.pt", tmp_path / "again.safetensors")
    wanted, got = (
        read_weights(file).tensors for file in (options.begin, tmp_path / "again.safetensors")
    )
    for name, of in wanted.items():
        np.testing.assert_allclose(got[name], of, rtol=2**-9, atol=2e-4, err_msg=name)


def test_weights_of_another_network_are_refused(
    options: argparse.Namespace, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    other = ConverterNetwork(NetworkConfig(channels=16, hidden=24, dilations=(1, 2)))
    options.begin = tmp_path / "other.safetensors"
    save_weights(weights_of(other), options.begin, {})
    with pytest.raises(SystemExit, match="another network"):
        Trainer(options)
