"""The other begins to speak: she falls silent in time, and goes on without a click."""

import itertools

import numpy as np
import pytest

from persona_voice.build import open_batch
from persona_voice.converter import Frames, Identity
from persona_voice.errors import SettingError
from persona_voice.path.stream import Samples, VoiceStream
from persona_voice.persona.persona import load_persona

RATE = 48_000
BLOCK = 480
STOP_AT = RATE // 2


class Tone:
    """Answers a voice that never pauses and never changes, whatever it hears."""

    lookahead = 960

    def start(self) -> int:
        return 0

    def step(self, state: int, frames: Frames) -> tuple[int, Frames]:
        envelope = np.concatenate([np.full(12, -1.0), np.full(148, -12.0)])
        return state, np.tile(envelope, (len(frames), 1)).astype(np.float32)


def stream() -> VoiceStream:
    return VoiceStream(Tone(), load_persona(), RATE)


def said(seconds: float) -> Samples:
    time = np.arange(int(RATE * seconds)) / RATE
    voice = sum(np.sin(2 * np.pi * 120 * h * time) / h for h in range(1, 12))
    return (0.1 * voice).astype(np.float32)


def in_blocks(of: VoiceStream, x: Samples, length: int = BLOCK) -> Samples:
    edges = [*range(0, len(x), length), len(x)]
    return np.concatenate([of.process(x[a:b]) for a, b in itertools.pairwise(edges)])


@pytest.mark.parametrize("release_ms", [10, 40, 80])
def test_the_tail_fades_within_its_time_and_nothing_follows(release_ms: int) -> None:
    one, other = stream(), stream()
    x = said(1.0)
    np.testing.assert_array_equal(in_blocks(one, x[:STOP_AT]), in_blocks(other, x[:STOP_AT]))
    one.stop(release_ms)
    faded, whole = in_blocks(one, x[STOP_AT:]), in_blocks(other, x[STOP_AT:])
    length = RATE * release_ms // 1000
    assert np.abs(whole[:length]).max() > 0.01
    assert not faded[length:].any()
    heard = np.abs(whole[:length]) > 1e-3
    gain = (faded[:length] / whole[:length])[heard]
    assert 0 <= gain.min() < 0.02
    assert (np.diff(gain) <= 1e-6).all()  # it only falls
    assert np.abs(np.diff(gain)).max() < 0.2  # and not at once


def test_what_was_pending_is_dropped_and_what_is_said_after_resume_is_heard_whole() -> None:
    stopped, other = stream(), stream()
    x = said(2.0)
    parts = [in_blocks(stopped, x[:STOP_AT])]
    stopped.stop(20)
    parts.append(in_blocks(stopped, x[STOP_AT:RATE]))
    stopped.resume()
    parts.append(in_blocks(stopped, x[RATE:]))
    out, whole = np.concatenate(parts), in_blocks(other, x)
    late, rise = stopped.latency_samples, RATE // 100
    assert not out[STOP_AT + RATE // 50 : RATE + late].any()
    assert out[RATE + late : RATE + late + rise].any()
    np.testing.assert_array_equal(out[RATE + late + rise :], whole[RATE + late + rise :])


def steepest_gain(out: Samples, whole: Samples) -> float:
    """Largest change of the gain from one sample to the next, where both are loud."""
    loud = np.abs(whole) > 0.1 * np.abs(whole).max()
    gain = np.divide(out, whole, out=np.zeros_like(out), where=loud)
    return float(np.abs(np.diff(gain))[loud[1:] & loud[:-1]].max())


# A raised cosine of 10 ms at its steepest: pi / 2 / 480.
NO_CLICK = 0.004


def test_neither_clicks_wherever_they_come() -> None:
    x = said(1.0)
    whole = in_blocks(stream(), x)
    for at in (RATE // 3, RATE // 3 + 211, RATE // 3 + 4_001):
        of = stream()
        parts = [in_blocks(of, x[:at])]
        of.stop(20)
        parts.append(in_blocks(of, x[at : at + 700]))
        of.resume()  # before it was silent
        parts.append(in_blocks(of, x[at + 700 :]))
        out = np.concatenate(parts)
        begin = at - 100
        assert steepest_gain(out[begin:], whole[begin:]) < NO_CLICK
        loudest = at + int(np.argmax(np.abs(whole[at : at + 3_000])))
        quieter = whole.copy()
        quieter[loudest:] *= np.float32(0.99)  # the mutant: a jump by a hundredth
        assert steepest_gain(quieter[begin:], whole[begin:]) > NO_CLICK


@pytest.mark.parametrize("length", [1, 7, 997])
def test_however_the_blocks_are_cut_it_is_the_same(length: int) -> None:
    x = said(0.2)
    outs = []
    for cut in (length, BLOCK):
        of = stream()
        parts = [in_blocks(of, x[:3_000], cut)]
        of.stop(30)
        parts.append(in_blocks(of, x[3_000:6_000], cut))
        of.resume()
        parts.append(in_blocks(of, x[6_000:], cut))
        outs.append(np.concatenate(parts))
    np.testing.assert_array_equal(*outs)


def test_a_stream_that_is_reset_speaks() -> None:
    of, new = stream(), stream()
    of.stop()
    of.process(said(0.1))
    of.reset()
    np.testing.assert_array_equal(of.process(said(0.3)), new.process(said(0.3)))


def test_resume_without_a_stop_changes_nothing() -> None:
    of, other = stream(), stream()
    of.resume()
    np.testing.assert_array_equal(of.process(said(0.3)), other.process(said(0.3)))


@pytest.mark.parametrize("release_ms", [9.0, 81.0, float("nan")])
def test_a_release_out_of_range_is_refused_and_she_speaks_on(release_ms: float) -> None:
    of, other = stream(), stream()
    with pytest.raises(SettingError, match=r"release_ms must lie in 10\.\.=80") as caught:
        of.stop(release_ms)
    assert caught.value.code == "out_of_range"
    np.testing.assert_array_equal(of.process(said(0.3)), other.process(said(0.3)))


def test_one_of_a_batch_is_stopped_and_the_others_speak_on() -> None:
    batch, other = open_batch(3, sample_rate=RATE), open_batch(3, sample_rate=RATE)
    for each in (batch, other):
        assert [each.join(), each.join()] == [0, 1]
    x = np.stack([said(0.6)] * 3)

    def run(of: object, begin: int, end: int) -> Samples:
        blocks = range(begin, end, BLOCK)
        return np.concatenate([of.process(x[:, at : at + BLOCK].copy()) for at in blocks], 1)

    first, second, last = 24 * BLOCK, 40 * BLOCK, 60 * BLOCK
    run(batch, 0, first)
    batch.stop(1, 20)
    during = run(batch, first, second)
    batch.resume(1)
    after = run(batch, second, last)
    whole = run(other, 0, last)
    np.testing.assert_array_equal(during[0], whole[0, first:second])
    assert not during[1, RATE // 50 :].any()
    late = batch.latency_samples
    assert not after[1, :late].any()
    np.testing.assert_array_equal(
        after[1, late + RATE // 100 :], whole[1, second + late + RATE // 100 :]
    )
    with pytest.raises(SettingError) as caught:
        batch.stop(2)
    assert caught.value.code == "not_joined"
    batch.stop(1)
    batch.leave(1)
    assert batch.join() == 1  # who comes next speaks
    np.testing.assert_array_equal(run(batch, 0, first)[1], whole[1, :first])


def test_the_identity_may_be_stopped_too() -> None:
    of = VoiceStream(Identity(), load_persona(), 16_000)
    of.stop(10)
    assert not of.process(np.ones(1_600, np.float32))[160:].any()
