"""The path in the core with converters that Python holds: called back, believed, or given up."""

from collections.abc import Callable

import numpy as np
import pytest

from persona_voice import _core
from persona_voice.converter import Frames
from persona_voice.errors import SettingError

RATE = 24_000
X = (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
FAILED = -1


def path() -> _core.Path:
    return _core.Path(sample_rate=RATE, lookahead=960, register_hz=200.0, range=1.0, seed=3)


def steady(frames: Frames) -> Frames:
    return np.full((len(frames), 160), -5, np.float32)


def test_a_converter_gets_log_mel_frames_less_what_is_steady() -> None:
    heard: list[Frames] = []

    def listen(frames: Frames) -> Frames:
        heard.append(frames)
        return steady(frames)

    x = X.copy()
    x[RATE // 2 :][: RATE // 10] *= 10
    out = path().process(x, listen)
    assert out.shape == x.shape
    assert np.abs(out).max() > 0.001
    less_db = (10 / np.log(10)) * (np.concatenate(heard) - _core.LogMel().process(x))
    assert np.abs(less_db[0]).max() < 0.5, "a stream may begin within a word"
    assert np.median(less_db[52:58]) > -0.5, "louder than the noise"
    assert np.median(less_db[80:]) < -10
    assert less_db.min() > -12.1
    assert less_db.max() < 0.01


@pytest.mark.parametrize(
    "answer",
    [
        lambda frames: steady(frames)[:, :159],
        lambda frames: steady(frames)[1:],
        lambda frames: steady(frames).astype(np.float64),
        lambda frames: None,
        lambda frames: 1 / 0,
        lambda frames: steady(frames) * np.float32(np.nan),
    ],
    ids=["narrow", "short", "float64", "nothing", "raises", "nan"],
)
def test_an_answer_that_is_none_ends_the_voice(answer: Callable[[Frames], Frames]) -> None:
    broken = path()
    out = broken.process(X, answer)
    assert np.abs(out).max() < 1e-5
    assert broken.status[FAILED]
    broken.reset()
    assert np.array_equal(broken.process(X, steady), path().process(X, steady))


def test_ctrl_c_in_a_converter_is_no_fault_of_the_stream() -> None:
    def interrupted(frames: Frames) -> Frames:
        raise KeyboardInterrupt

    stream = path()
    with pytest.raises(KeyboardInterrupt):
        stream.process(X, interrupted)
    assert np.abs(stream.process(X, steady)).max() > 0.01


def test_a_clone_goes_on_as_the_other_would_have() -> None:
    one = path()
    one.process(X, steady)
    other = one.clone()
    assert np.array_equal(one.process(X, steady), other.process(X, steady))
    assert one.status == other.status


def test_a_lookahead_that_f0_cannot_keep_up_with_is_refused() -> None:
    with pytest.raises(SettingError, match=r"lookahead in samples must lie in 720\.\.=48000"):
        _core.Path(sample_rate=RATE, lookahead=0, register_hz=200.0, range=1.0, seed=3)


def test_targets_may_be_set_between_blocks_and_must_be_in_range() -> None:
    stream = path()
    stream.process(X, steady)
    stream.set_targets(250.0, 1.2)
    with pytest.raises(SettingError, match="register_hz"):
        stream.set_targets(5.0, 1.0)
    assert np.isfinite(stream.process(X, steady)).all()
