"""What the F0 tracks learn from is what it is said to be, and the core answers what torch does."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from persona_voice import _core
from training.f0 import Sound, hear, likeliest, logistic, tone, wanted
from training.f0_network import (
    DECISIONS,
    FAST_SAMPLES,
    LATE_SAMPLES,
    LOWEST_HZ,
    PITCHES,
    PITCHES_AN_OCTAVE,
    F0Network,
    load,
    save,
)

RECORDINGS = Path(__file__).parents[2] / "persona_voice" / "assets" / "recordings"
# Frames before the first sample was heard: the core knows that there was nothing.
SETTLING = 6
# Cents that the correlation may move F0 by, from where it is believed to be.
MOVED = 55


def recording() -> np.ndarray:
    samples, rate = soundfile.read(RECORDINGS / "austen_en_m.flac", dtype="float32")
    return scipy.signal.resample_poly(samples, 24_000, rate).astype(np.float32)[:120_000]


def test_the_core_believes_what_torch_does() -> None:
    sound = recording()
    network, decisions = load()
    with torch.no_grad():
        both = network(torch.from_numpy(_core.F0Evidence().process(sound))[None])
    told = _core.F0Tracks().process(sound)
    for track, logits in enumerate(both):
        threshold, slope, offset = decisions[3 * track :][:3]
        believed = torch.softmax(logits[0], -1).double().numpy()
        voiced = 1 - believed[:, PITCHES]
        pitch, share = likeliest(believed[:, :PITCHES])
        f0_hz, sure, said = told[:, 3 * track :][:, :3].T
        clear = np.abs(voiced - threshold) > 1e-3
        clear[:SETTLING] = False
        np.testing.assert_array_equal((said == 1)[clear], (voiced >= threshold)[clear])
        p = np.clip(np.where(said == 1, share, 1 - voiced), 1e-6, 1 - 1e-6)
        odds = slope * np.log(p / (1 - p)) + offset
        np.testing.assert_allclose(
            sure[clear], np.minimum(1 / (1 + np.exp(-odds)), 0.999)[clear], atol=2e-3
        )
        cents = (
            1200 * np.log2(f0_hz[said == 1] / LOWEST_HZ)
            - 1200 / PITCHES_AN_OCTAVE * pitch[said == 1]
        )
        assert np.abs(cents).max() < MOVED
        assert 0.2 < said.mean() < 0.8


def test_the_core_states_the_moments_that_were_learnt() -> None:
    assert _core.F0Tracks().lookahead == FAST_SAMPLES
    assert _core.F0Tracks().late_lookahead == LATE_SAMPLES


def test_weights_survive_their_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = F0Network()
    save(network, [0.5, 1.0, 0.0] * 2, tmp_path / "weights")
    again, decisions = load(tmp_path / "weights")
    assert decisions == [0.5, 1.0, 0.0] * 2
    assert len(decisions) == DECISIONS
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=2**-8)
    with (tmp_path / "weights").open("ab") as file:
        file.write(b"\0\0")
    with pytest.raises(SystemExit, match=r"must hold \d+ numbers"):
        load(tmp_path / "weights")


def test_the_network_does_not_know_the_future() -> None:
    network, _ = load()
    x = torch.randn(1, 50, _core.F0Evidence().width)
    changed = x.clone()
    changed[:, 30:] += 1
    with torch.no_grad():
        for before, after in zip(network(x), network(changed), strict=True):
            torch.testing.assert_close(before[:, :30], after[:, :30])
            assert not torch.allclose(before[:, 30], after[:, 30])


def test_what_is_wanted_lies_between_pitches_and_nowhere_where_nothing_is_known() -> None:
    f0_hz = torch.tensor([55.0 * 2 ** (2.25 / 24), 0.0, torch.nan])
    made = wanted(f0_hz)
    assert made[0, 2] == pytest.approx(0.75, abs=1e-4)
    assert made[0, 3] == pytest.approx(0.25, abs=1e-4)
    assert made[1].argmax() == PITCHES
    assert made.sum(-1).tolist() == pytest.approx([1, 1, 0])


def test_each_track_is_asked_for_its_own_moment() -> None:
    rng = np.random.default_rng(1)
    f0_hz = np.where(np.arange(1000) < 500, 100.0, 200.0)
    steady = Sound(np.zeros(120_000, np.float32), f0_hz, 1e-3)
    kinds = {kind: rng.standard_normal(1 << 18) for kind in ("pink", "white", "brown")}
    asked = hear(steady, kinds, [tone(rng)], [4]).f0_hz
    high = [int(np.argmax(track > 1.5 * np.median(track[10:50]))) for track in asked.T]
    assert high[1] - high[0] in (4, 5)


def test_log_odds_are_fitted() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(0, 2, 20_000)
    y = (rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * x - 0.4)))).astype(float)
    assert logistic(x, y) == pytest.approx([0.7, -0.4], abs=0.05)
