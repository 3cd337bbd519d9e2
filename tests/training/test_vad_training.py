"""The detector's network in torch is that of the core, and its labels are what they are said to be."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from persona_voice import _core
from training.vad import (
    BEGIN_HOPS,
    BEGIN_WEIGHT,
    CLOSURE_WEIGHT,
    SPOKEN_SHARE,
    area,
    for_conversations,
    learning_rate,
    weighed,
)
from training.vad_network import VadNetwork, load, probabilities, save
from training.vad_scenes import (
    GAP_HOPS,
    KINDS,
    LOUD,
    SPEECH,
    UNSURE,
    UNSURE_HOPS,
    Sounds,
    Utterance,
    labelled,
    level_db,
    phrase,
    runs,
    scene,
    speaking,
    stands_out_db,
)

RECORDINGS = Path(__file__).parents[2] / "persona_voice" / "assets" / "recordings"


def recording(name: str) -> np.ndarray:
    samples, rate = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")
    return scipy.signal.resample_poly(samples, 24_000, rate).astype(np.float32)


def test_the_core_gives_the_probabilities_of_torch() -> None:
    sound = recording("austen_en_m")
    expected = probabilities(load(), sound)
    got = _core.Vad().process(sound)[:, 0]
    assert np.abs(got - expected[: len(got)]).max() < 1e-4
    assert got.std() > 0.1
    # One sample later is further off than that.
    late = _core.Vad().process(np.roll(sound, 1))[:, 0]
    assert np.abs(late - got).max() > 1e-4


def test_weights_survive_their_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = VadNetwork()
    save(network, tmp_path / "weights")
    again = load(tmp_path / "weights")
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=2**-8)
    with (tmp_path / "weights").open("ab") as file:
        file.write(b"\0\0")
    with pytest.raises(SystemExit, match=r"must hold \d+ numbers"):
        load(tmp_path / "weights")


def test_the_network_does_not_know_the_future() -> None:
    network = load()
    x = torch.randn(1, 50, 36)
    changed = x.clone()
    changed[:, 30:] += 1
    with torch.no_grad():
        before, after = network(x), network(changed)
    torch.testing.assert_close(before[:, :30], after[:, :30])
    assert not torch.allclose(before[:, 30], after[:, 30])


def test_closures_are_bridged_and_pauses_are_not() -> None:
    level = np.full(200, -90.0)
    level[20:60] = level[60 + GAP_HOPS - 1 : 100] = level[100 + GAP_HOPS : 150] = -20.0
    loud, bridged = speaking(level)
    assert runs(loud) == [(20, 60), (60 + GAP_HOPS - 1, 100), (100 + GAP_HOPS, 150)]
    assert runs(bridged) == [(20, 100), (100 + GAP_HOPS, 150)]


def test_beside_speech_in_noise_nobody_is_sure() -> None:
    quiet = np.full(300, -90.0)
    quiet[100:200] = -20.0
    assert not labelled(quiet)[:, UNSURE].any()
    # The recording's own noise hides what is 34 dB below its speech.
    noisy = np.maximum(quiet, -54.0)
    assert stands_out_db(noisy) == pytest.approx(34)
    labels = labelled(noisy)
    assert runs(labels[:, LOUD]) == runs(labels[:, SPEECH]) == [(100, 200)]
    assert runs(labels[:, UNSURE]) == [(100 - UNSURE_HOPS, 100), (200, 200 + UNSURE_HOPS)]


def test_a_level_is_that_of_its_hop() -> None:
    sound = np.concatenate([np.full(240, 0.1), np.zeros(240), np.full(100, 1.0)])
    np.testing.assert_allclose(level_db(sound), [-20, -120], atol=1e-6)


def test_closures_count_less_and_beginnings_more() -> None:
    labels = torch.zeros(1, 40, KINDS, dtype=torch.bool)
    labels[:, 10:30, [LOUD, SPEECH]] = True
    labels[:, 20:24, LOUD] = False
    wanted, weight = weighed(labels)
    assert wanted[0].nonzero().ravel().tolist() == list(range(10, 30))
    assert (weight[0, 20:24] == CLOSURE_WEIGHT).all()
    assert (weight[0, 10 : 10 + BEGIN_HOPS] == BEGIN_WEIGHT).all()
    assert float(weight.sum()) == pytest.approx(36 + 4 * CLOSURE_WEIGHT + BEGIN_HOPS)
    labels[:, 8:12, UNSURE] = True
    _, unsure = weighed(labels)
    assert (unsure[0, 8:12] == 0).all()
    assert torch.equal(unsure[0, 12:], weight[0, 12:])


def test_where_speech_is_rarer_it_is_believed_less_by_as_much() -> None:
    network, labels = load(), torch.zeros(2, 50, KINDS, dtype=torch.bool)
    labels[:, :40, SPEECH] = True
    labels[:, :10, UNSURE] = True  # of 40 that are sure, 30 are speech
    moved = for_conversations(network, labels)
    x = torch.randn(2, 30, 36)
    with torch.no_grad():
        odds = (moved(x) - network(x)).exp()
    wanted = SPOKEN_SHARE / (1 - SPOKEN_SHARE) / 3
    torch.testing.assert_close(odds, torch.full_like(odds, wanted), rtol=1e-4, atol=0)


def test_the_area_is_the_chance_that_speech_scores_higher() -> None:
    rng = np.random.default_rng(1)
    score, truth = rng.random(300), rng.random(300) < 0.4
    pairs = score[truth][:, None] > score[~truth][None]
    assert area(score, truth) == pytest.approx(pairs.mean())


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate(step / 1000, step) for step in range(0, 1001, 20)]
    assert rates[0] == 0
    assert max(rates) == rates[2]
    assert 0 < rates[-1] < 0.05 * max(rates)


def spoken() -> Utterance:
    samples = np.round(recording("arctic_slt_en_f") * 32767).astype(np.int16)
    return Utterance("one", samples, labelled(level_db(samples / 32768)), foreground=True)


@pytest.mark.parametrize("percent", [100, 90, 115])
def test_a_phrase_is_as_long_as_its_labels(percent: int) -> None:
    sound, labels = phrase(np.random.default_rng(3), spoken(), percent)
    assert abs(len(sound) - 240 * len(labels)) < 480
    assert not (labels[:, LOUD] & ~labels[:, SPEECH]).any()
    assert labels[:, SPEECH].any()


def test_a_scene_follows_from_its_seed_and_its_labels_from_the_speech() -> None:
    one = spoken()
    noise = np.random.default_rng(2).standard_normal(48_000).astype(np.float32)
    sounds = Sounds([one], [one], [noise], [noise])
    for seed in range(3):
        first, labels = scene(np.random.default_rng(seed), sounds)
        again, same = scene(np.random.default_rng(seed), sounds)
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(labels, same)
        assert np.isfinite(first).all()
        assert np.abs(first).max() <= 1
        assert len(first) == 240 * len(labels)
