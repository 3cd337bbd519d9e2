"""She is recognised by Resemblyzer's own encoder; how its input is made does not depend on what is at hand."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from training.recognition import ITS_BANDS, LEVEL_DBFS, Recognition

RATE = 24_000


class Encoder(nn.Module):
    """Of Resemblyzer's shape, with weights of its own."""

    def __init__(self, _device: str, *, verbose: bool) -> None:
        super().__init__()
        assert not verbose
        torch.manual_seed(4)
        self.lstm = nn.LSTM(ITS_BANDS, 32, batch_first=True)
        self.linear = nn.Linear(32, 16)
        self.relu = nn.ReLU()


@pytest.fixture
def recognition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recognition:
    monkeypatch.setitem(sys.modules, "resemblyzer", SimpleNamespace(VoiceEncoder=Encoder))
    sound = 0.1 * np.random.default_rng(1).standard_normal(5 * RATE)
    soundfile.write(tmp_path / "01.flac", sound, RATE)
    return Recognition(tmp_path)


def test_a_tone_is_in_its_band_whatever_its_level(recognition: Recognition) -> None:
    t = torch.arange(RATE) / RATE
    tones = torch.stack([torch.sin(2 * torch.pi * hz * t) for hz in (500.0, 2000.0)])
    mel = recognition.mel(tones)
    quiet = recognition.mel(1e-3 * tones)
    torch.testing.assert_close(quiet, mel, rtol=1e-4, atol=1e-9)
    middle = mel[:, 10:-10].mean(1)
    # Slaney's mels are 66.7 Hz wide below 1 kHz; 8 kHz is mel 45.2, in 41 steps.
    assert middle[0].argmax() == round(500 / 66.67 / (45.25 / 41)) - 1
    assert middle[1].argmax() > middle[0].argmax() + 8
    # A Hann window's sum is half of its length: a tone's peak is a quarter of that, squared.
    peak = (0.5 * 200 * 10 ** (LEVEL_DBFS / 20) * 2**0.5) ** 2
    assert float(middle[0].max()) < peak


def test_it_is_between_none_and_whole_and_tells_which_way(recognition: Recognition) -> None:
    sound = torch.randn(2, RATE, generator=torch.Generator().manual_seed(3)).requires_grad_()
    like = recognition(sound)
    assert ((like > 0) & (like < 1.0001)).all()
    (gradient,) = torch.autograd.grad(like.sum(), sound)
    assert gradient.abs().sum(1).min() > 0
    assert not any(weight.requires_grad for weight in recognition.parameters())


def test_without_recordings_nobody_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resemblyzer", SimpleNamespace(VoiceEncoder=Encoder))
    with pytest.raises(SystemExit, match="no recordings of hers"):
        Recognition(tmp_path)
