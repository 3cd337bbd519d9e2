"""The laws again, through the door from Python, and what the door refuses."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from persona_voice import _core
from persona_voice.errors import SettingError

Samples = npt.NDArray[np.float32]

STAGES: dict[str, Callable[[], Any]] = {
    "resampler_48_to_24": lambda: _core.Resampler(48_000, 24_000),
    "resampler_24_to_48": lambda: _core.Resampler(24_000, 48_000),
    "resampler_44_to_24": lambda: _core.Resampler(44_100, 24_000),
    "resampler_odd": lambda: _core.Resampler(24_000, 11_027),
    "resampler_none": lambda: _core.Resampler(24_000, 24_000),
    "leveller": lambda: leveller(),
    "limiter": lambda: _core.Limiter(24_000, -1.0),
    "limiter_48": lambda: _core.Limiter(48_000, -1.0),
    "fade": lambda: _core.Fade(24_000),
    "shifter": lambda: _core.Shifter(48_000),
}
# Later at some frequencies than at others.
EARLY_STAGES: dict[str, Callable[[], Any]] = {
    "early_48_to_24": lambda: _core.Resampler.minimum_phase(48_000, 24_000),
    "early_24_to_48": lambda: _core.Resampler.minimum_phase(24_000, 48_000),
    "early_44_to_24": lambda: _core.Resampler.minimum_phase(44_100, 24_000),
}
ANALYZERS: dict[str, Callable[[], Any]] = {
    "log_mel": _core.LogMel,
    "loudness": _core.Loudness,
    "meter": lambda: _core.Meter(48_000),
    "f0_tracker": _core.F0Tracker,
    "f0_tracks": _core.F0Tracks,
    "f0_evidence": _core.F0Evidence,
    "vad": _core.Vad,
}
EVERYTHING = STAGES | EARLY_STAGES | ANALYZERS

punctual = pytest.mark.parametrize("make", STAGES.values(), ids=STAGES.keys())
all_stages = STAGES | EARLY_STAGES
stages = pytest.mark.parametrize("make", all_stages.values(), ids=all_stages.keys())
analyzers = pytest.mark.parametrize("make", ANALYZERS.values(), ids=ANALYZERS.keys())
everything = pytest.mark.parametrize("make", EVERYTHING.values(), ids=EVERYTHING.keys())


def leveller() -> _core.Leveller:
    """Somebody speaks."""
    made = _core.Leveller(24_000, -26.0)
    made.set_speech(True)
    return made


def noise(samples: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)


def in_blocks(stream: Any, x: Samples, seed: int) -> Samples:
    """What comes out when ``x`` is cut by a seeded hand, empty blocks among them."""
    cuts = np.random.default_rng(seed).integers(0, len(x) + 1, 12)
    edges = np.sort(np.concatenate([[0, 0], cuts, cuts[:3], [len(x)]]))
    blocks = [x[a:b] for a, b in itertools.pairwise(edges)]
    return np.concatenate([stream.process(block) for block in blocks])


@stages
def test_a_stage_gives_as_many_samples_as_the_rates_demand(make: Callable[[], Any]) -> None:
    stage = make()
    total = out = 0
    for samples in (0, 1, 2, 441, 0, 1000, 7):
        out += len(stage.process(noise(samples)))
        total += samples
        assert out == -(-total * stage.output_rate // stage.input_rate)
    assert len(stage.flush()) == stage.latency


@analyzers
def test_an_analyzer_gives_a_frame_per_hop(make: Callable[[], Any]) -> None:
    analyzer = make()
    total = frames = 0
    for samples in (0, 1, 239, 500, 0, 1000):
        got = analyzer.process(noise(samples))
        assert got.dtype == np.float32
        assert got.shape[1] == analyzer.width
        total += samples
        frames += len(got)
        assert frames == total // analyzer.hop
    assert analyzer.window >= analyzer.hop
    assert analyzer.lookahead < analyzer.window


@everything
def test_however_the_stream_is_cut_the_numbers_are_equal(make: Callable[[], Any]) -> None:
    x = noise(3000)
    expected = make().process(x)
    for seed in range(25):
        np.testing.assert_array_equal(in_blocks(make(), x, seed), expected)


@everything
def test_after_reset_a_stream_is_as_new(make: Callable[[], Any]) -> None:
    stream = make()
    stream.process(noise(2000, seed=2))
    stream.reset()
    np.testing.assert_array_equal(stream.process(noise(2000)), make().process(noise(2000)))


@stages
def test_after_flush_a_stage_is_as_new(make: Callable[[], Any]) -> None:
    stage = make()
    stage.process(noise(2000, seed=2))
    stage.flush()
    np.testing.assert_array_equal(stage.process(noise(2000)), make().process(noise(2000)))


@punctual
def test_an_impulse_comes_out_as_late_as_stated(make: Callable[[], Any]) -> None:
    stage = make()
    impulse = np.zeros(3000, np.float32)
    impulse[0] = 0.5
    assert int(np.argmax(np.abs(stage.process(impulse)))) == stage.latency


@everything
def test_a_clone_goes_on_alone(make: Callable[[], Any]) -> None:
    original = make()
    original.process(noise(1001))
    clone, other = original.clone(), original.clone()
    other.process(noise(777, seed=3))
    expected = original.process(noise(2000, seed=4))
    np.testing.assert_array_equal(clone.process(noise(2000, seed=4)), expected)


@stages
def test_silence_gives_silence(make: Callable[[], Any]) -> None:
    stage = make()
    assert not stage.process(np.zeros(2000, np.float32)).any()
    assert not stage.flush().any()


@everything
@pytest.mark.parametrize("size", [1e-44, 1e-20, 1.0, 1e6, 3e38])
def test_finite_in_gives_finite_out(make: Callable[[], Any], size: float) -> None:
    x = (noise(2000).astype(np.float64) * size).astype(np.float32)
    assert np.isfinite(make().process(x)).all()


@everything
@pytest.mark.parametrize(
    "block",
    [
        np.zeros(8),
        np.zeros(8, np.int16),
        np.zeros((4, 2), np.float32),
        np.zeros(8, np.float32)[::2],
        [0.0, 0.0],
    ],
    ids=["float64", "int16", "two_dimensions", "strided", "list"],
)
def test_any_other_block_is_refused_and_nothing_is_lost(
    make: Callable[[], Any], block: object
) -> None:
    stream = make()
    stream.process(noise(1000))
    with pytest.raises(SettingError, match="a block must be a float32 array of") as caught:
        stream.process(block)
    assert caught.value.code == "wrong_array"
    undisturbed = make()
    undisturbed.process(noise(1000))
    np.testing.assert_array_equal(stream.process(noise(500)), undisturbed.process(noise(500)))


def test_frames_column_after_column_are_refused_and_not_read_scrambled() -> None:
    frames = np.tile(np.array([200.0, 0.9, 1.0, -20.0], np.float32), (5, 1))
    prosody = _core.Prosody(register_hz=200.0, range=1.0)
    with pytest.raises(SettingError) as caught:
        prosody.process(np.asfortranarray(frames))
    assert caught.value.code == "wrong_array"
    assert len(prosody.process(frames)) == len(frames)


def test_the_input_is_left_as_it_was() -> None:
    x = noise(1000)
    before = x.copy()
    for make in EVERYTHING.values():
        make().process(x)
    np.testing.assert_array_equal(x, before)


def test_settings_out_of_range_are_refused_in_words() -> None:
    with pytest.raises(SettingError) as caught:
        _core.Resampler(4000, 24_000)
    assert str(caught.value) == "input_rate in Hz must lie in 8000..=192000, got 4000"
    assert caught.value.code == "out_of_range"
    with pytest.raises(SettingError, match=r"^ceiling_db must lie in -60\.\.=0, got 3$"):
        _core.Limiter(24_000, 3.0)


def test_the_fade_closes_to_silence_and_opens_again() -> None:
    fade = _core.Fade(24_000)
    ones = np.ones(480, np.float32)
    assert fade.open
    assert fade.idle
    fade.close(20.0)
    assert not fade.silent
    assert fade.process(ones)[-1] == 0
    assert fade.silent
    assert not fade.open
    assert not fade.process(np.full(100, np.nan, np.float32)).any()
    fade.resume(100)
    opening = fade.process(ones)
    assert not opening[:100].any()
    assert opening[-1] == 1
    assert fade.idle
    np.testing.assert_array_equal(fade.process(ones), ones)
    with pytest.raises(SettingError, match=r"^release_ms must lie in 10\.\.=80, got 5$"):
        fade.close(5.0)


def test_the_gain_moves_only_while_somebody_speaks() -> None:
    gain = _core.Leveller(24_000, -26.0)
    quiet = 0.001 * noise(2400)
    np.testing.assert_array_equal(gain.process(quiet), quiet)
    gain.set_speech(True)
    gain.process(quiet)
    assert gain.gain_db == pytest.approx(8.0)  # 0.8 dB a hop at first


def test_the_meter_gives_a_sine_its_level_and_its_true_peak() -> None:
    time = np.arange(4 * 48_000) / 48_000
    sine = (0.1 * np.sin(2 * np.pi * 997 * time)).astype(np.float32)
    frames = _core.Meter(48_000).process(sine)
    assert frames.shape == (400, 3)
    np.testing.assert_allclose(frames[-1], [-23.01, -23.01, -20.0], atol=0.05)


def test_a_drifting_clock_gives_as_many_samples_as_it_says() -> None:
    drift, x = _core.Drift(), noise(48_000)
    drift.set_ppm(500.0)
    cuts = [x[:0], x[:7], x[7:5000], x[5000:]]
    promised = 0
    for block in cuts:
        due = drift.output_len(len(block))
        assert len(drift.process(block)) == due
        promised += due
    # The first 2500 samples go over to it.
    assert promised == pytest.approx(48_000 + 24 - 0.6, abs=1.1)
    assert drift.ppm == pytest.approx(500, abs=1e-3)
    clone = drift.clone()
    np.testing.assert_array_equal(drift.process(x), clone.process(x))
    assert len(drift.flush()) == drift.latency == 25
    whole = _core.Drift()
    whole.set_ppm(500.0)
    np.testing.assert_array_equal(drift.process(x), whole.process(x))
    drift.reset()
    assert drift.ppm == 0
    with pytest.raises(SettingError, match=r"^ppm must lie in -500\.\.=500, got 501$"):
        drift.set_ppm(501)


def test_the_loudness_of_a_full_scale_sine_is_three_below() -> None:
    x = np.sin(np.arange(2400) * 2 * np.pi / 48).astype(np.float32)
    np.testing.assert_allclose(_core.Loudness().process(x), -3.0103, atol=0.01)


def test_two_threads_may_run_a_stream_each() -> None:
    x = noise(48_000)
    expected = _core.Resampler(48_000, 24_000).process(x)
    with ThreadPoolExecutor(4) as pool:
        got = pool.map(lambda seed: in_blocks(_core.Resampler(48_000, 24_000), x, seed), range(16))
        for y in got:
            np.testing.assert_array_equal(y, expected)
