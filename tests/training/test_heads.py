"""A head for another look-ahead begins as what says most nearly the same as the studio head."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from persona_voice._core import LogMel
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import weights_of
from training.heads import fitted
from training.synthesis import HOP, RATE

LOOKAHEADS = (240, 720, 1200)


def some_network() -> ConverterNetwork:
    torch.manual_seed(4)
    network = ConverterNetwork(NetworkConfig()).eval().requires_grad_(False)
    for head in network.heads.values():
        head.weight.mul_(10)
    return network


def some_sound(folder: Path) -> np.ndarray:
    t = np.arange(4 * RATE) / RATE
    hz = 200 + 40 * np.sin(2 * np.pi * 3 * t)
    buzz = np.sign(np.sin(2 * np.pi * np.cumsum(hz) / RATE)) * (1 + np.sin(9 * t))
    soundfile.write(folder / "some.flac", 0.1 * buzz, RATE)
    return soundfile.read(folder / "some.flac", dtype="float32")[0]


def test_a_fitted_head_is_nearer_to_studio_than_studio_that_comes_early(tmp_path: Path) -> None:
    network = some_network()
    mel = torch.from_numpy(LogMel().process(some_sound(tmp_path)))[None]
    tensors = fitted(weights_of(network), tmp_path, {str(of): of for of in LOOKAHEADS})
    body, _, _ = network.body(mel, network.start())
    x = body[0].numpy()
    studio = x @ network.heads["studio"].weight.numpy().T + network.heads["studio"].bias.numpy()
    # The level of a moment is added to both alike. Where all is loud, all is learnt from.
    for of in LOOKAHEADS:
        later = (NetworkConfig().studio_lookahead - of) // HOP
        wanted = studio[later:]
        head = x @ tensors[f"heads.{of}.weight"].T + tensors[f"heads.{of}.bias"]
        off, early = (np.abs(y[: len(wanted)] - wanted).mean() for y in (head, studio))
        assert off < 0.7 * early, of


def test_without_speech_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="must hold speech, as training.speech makes it"):
        fitted(weights_of(some_network()), tmp_path, {"live": 720})
