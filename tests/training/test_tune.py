"""Tuning goes where her sound says what the speaker says."""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from persona_voice.build import weights_folder
from persona_voice.model.config import NetworkConfig
from persona_voice.model.weights import read_weights
from persona_voice.persona.persona import load_persona
from training import tune
from training.curve import LOOKAHEADS, CurveConfig, CurveTuner
from training.data import HOP, RATE, CropConfig, of_pairs
from training.ear import DIRECTIONS, Said
from training.heads import fitted
from training.learning import cosine
from training.train import CRITIC_RATE
from training.tune import Tuner

BATCH, WIDE = 10, 129
CROP = CropConfig(warm_frames=8, frames=60)


class Ear(nn.Module):
    """Instead of Whisper's: the spectrogram."""

    def __init__(self, _models: Path) -> None:
        super().__init__()

    def forward(self, sound: Tensor) -> Tensor:
        window = torch.hann_window(256)
        s = torch.stft(sound, 256, 2 * HOP, window=window, return_complex=True).transpose(1, 2)
        return torch.log(s.real**2 + s.imag**2 + 1e-6)


class Recognition(nn.Module):
    """Instead of Resemblyzer's: loud sound is not like her."""

    def forward(self, sound: Tensor) -> Tensor:
        return 1 - sound.square().mean(1).sqrt()


def some_said() -> Said:
    ways = torch.randn(WIDE, DIRECTIONS, generator=torch.Generator().manual_seed(1)) / 10
    return Said(torch.zeros(WIDE), ways, torch.zeros(WIDE), ways)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.setattr(tune, "Ear", Ear)
    monkeypatch.setattr(tune, "Recognition", Recognition)
    monkeypatch.setattr(tune, "load_said", lambda _cache: some_said())
    begin = weights_folder() / load_persona("samantha").weights
    return argparse.Namespace(
        cache=tmp_path, models=tmp_path, run="some", rate=2e-3, steps=1000, begin=begin
    )


@pytest.fixture
def tuner(options: argparse.Namespace) -> Tuner:
    return Tuner(options)


def batch(reach: int) -> tuple[Tensor, ...]:
    noise = torch.Generator().manual_seed(2)
    moments = reach + CROP.frames
    mel = torch.randn(BATCH, CROP.warm_frames + CROP.frames, 80, generator=noise) - 8
    envelopes = torch.randn(BATCH, moments, 2, 80, generator=noise) - 4
    sound, pulse = 0.1 * torch.randn(2, BATCH, (moments - 1) * HOP, generator=noise)
    return mel, envelopes, sound, 10 * pulse


def test_only_some_are_listened_to_and_each_head_in_turn(tuner: Tuner) -> None:
    heads = [head.weight for head in tuner.network.heads.values()]
    pairs = of_pairs(BATCH)
    mel, envelopes, sound, pulse = batch(tuner.reach)
    other = sound.clone()
    other[tune.LISTENED_PAIRS : pairs] += 1
    other[pairs + tune.LISTENED_LABELLED :] += 1
    _, said = tuner.loss((mel, envelopes, sound, pulse), CROP)
    _, same = tuner.loss((mel, envelopes, other, pulse), CROP)
    _, louder = tuner.loss((mel, envelopes, sound + 1, pulse), CROP)
    assert same["unlike"] == said["unlike"]
    assert same["unlike labelled"] == said["unlike labelled"]
    assert louder["unlike"] != said["unlike"]
    assert louder["unlike labelled"] != said["unlike labelled"]
    for step, dear in enumerate(("live", "studio")):
        tuner.step = step
        loss, _ = tuner.loss((mel, envelopes, sound, pulse), CROP)
        assert tuner.dear() == dear
        assert all(grad.abs().sum() > 0 for grad in torch.autograd.grad(loss, heads))


class OtherLookahead(Tuner):
    config_type = staticmethod(partial(NetworkConfig, live_lookahead=1440))


class OtherCurve(CurveTuner):
    config_type = staticmethod(partial(CurveConfig, live_lookahead=1440))


def some_speech(cache: Path) -> None:
    (cache / "speech").mkdir()
    buzz = np.sign(np.sin(np.arange(2 * RATE) * 0.05)).astype(np.float32) / 10
    soundfile.write(cache / "speech" / "some.flac", buzz, RATE)


def test_the_heads_of_a_curve_begin_as_fitted_ones(options: argparse.Namespace) -> None:
    some_speech(options.cache)
    network = OtherCurve(options).exported(options.begin)
    assert network.config.live_lookahead == 1440
    lookaheads = {"live": 1440} | {str(of): of for of in LOOKAHEADS}
    heads = fitted(read_weights(options.begin), options.cache / "speech", lookaheads)
    tensors = network.state_dict()
    for name, tensor in heads.items():
        assert np.allclose(tensors[name], tensor, atol=1e-6), name
    assert len(heads) == 2 * len(lookaheads)


def test_a_live_head_that_shall_look_ahead_otherwise_begins_as_a_fitted_one(
    options: argparse.Namespace, tuner: Tuner
) -> None:
    some_speech(options.cache)
    begun = OtherLookahead(options).begun(options.begin)
    own = read_weights(options.begin)
    assert begun.config == replace(own.config, live_lookahead=1440)
    head = fitted(own, options.cache / "speech", {"live": 1440})
    assert begun.tensors.keys() == own.tensors.keys()
    for name, tensor in (own.tensors | head).items():
        assert np.array_equal(begun.tensors[name], tensor), name
    # Such weights it begins with, too, and others begin without any fit.
    assert OtherLookahead(options).network.config.live_lookahead == 1440
    assert tuner.begun(options.begin).tensors["heads.live.bias"] is not head["heads.live.bias"]


def test_the_critic_slows_down_with_the_network(tuner: Tuner) -> None:
    given = batch(tuner.reach)
    rates = []
    for step in (200, 999):
        tuner.step = step
        tuner.train_step(given, CROP)
        rates.append(tuner.critic_optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([CRITIC_RATE * cosine(done, 0.03) for done in (0.2, 0.999)])


def test_what_is_heard_becomes_what_is_said(tuner: Tuner) -> None:
    given = batch(tuner.reach)
    told = [tuner.train_step(given, CROP) for _ in range(12)]
    early, late = (sum(of["unlike labelled"] for of in some) for some in (told[:4], told[-4:]))
    assert late < 0.9 * early


def test_nobody_need_be_more_like_her_than_she_is(tuner: Tuner) -> None:
    loudness = torch.tensor([0.1, 0.6, 0.1, 0.6])
    y = loudness[:, None] * torch.ones(4, 4000)
    hers = torch.zeros(tune.LISTENED_PAIRS, 11, 2, 80)
    pulse = torch.ones(tune.LISTENED_PAIRS, 10 * HOP)
    by_herself = Recognition()(tuner.spoken(hers, pulse))
    strange = tuner.strange(y, hers, pulse)
    wanted = torch.cat([by_herself, torch.full((2,), tune.HERSELF)])
    torch.testing.assert_close(strange, (wanted - (1 - loudness)).relu())
    assert strange[2] == 0
    assert strange[3] > 0.4
