"""A stream that goes over to another converter and voice: without a break, wherever blocks end."""

from dataclasses import replace

import numpy as np
import pytest
from test_stream_moods import RATE, speech

from persona_voice import _core
from persona_voice.build import weights_folder
from persona_voice.converter import Converter, Frames, Identity, State
from persona_voice.errors import SettingError
from persona_voice.model.native_converter import NativeConverter
from persona_voice.model.weights import Weights, read_weights
from persona_voice.path.changing import CROSSING_HOPS, LISTENING_HOPS, Hearing
from persona_voice.path.stream import Samples, VoiceStream
from persona_voice.persona.persona import load_persona
from persona_voice.persona.state import Manner
from persona_voice.persona.voice import Voice

SAMANTHA = load_persona("samantha")
OTHER = replace(SAMANTHA, voice=Voice(2.0, 0.05, 1.0, -0.5))
FILE = weights_folder() / SAMANTHA.weights
HOP = RATE // 100
SECONDS = 12


def weights() -> Weights:
    return read_weights(FILE)


def louder(by: float) -> Weights:
    """The same network, all that it answers so much louder (natural logarithm)."""
    of = weights()
    raised = {
        n: t + by for n, t in of.tensors.items() if n.startswith("heads.") and n.endswith("bias")
    }
    return replace(of, tensors=of.tensors | raised)


COMMITTED = NativeConverter(weights(), "live")
# Softer, so that the limiter has no part in it.
SOFTER = NativeConverter(louder(-0.3), "live")


def long_speech() -> Samples:
    return np.tile(speech(), 4)[: SECONDS * RATE]


def said(stream: VoiceStream, sound: Samples, cuts: list[int]) -> Samples:
    out, at, n = [], 0, 0
    while at < len(sound):
        out.append(stream.process(sound[at : at + cuts[n % len(cuts)]]))
        at, n = at + cuts[n % len(cuts)], n + 1
    return np.concatenate(out)


def changed(cuts: list[int], converter: object = SOFTER) -> tuple[VoiceStream, Samples]:
    stream, sound = VoiceStream(COMMITTED, SAMANTHA, RATE), long_speech()
    first = said(stream, sound[: 2 * RATE], [HOP])
    stream.change_over(converter, OTHER)  # type: ignore[arg-type]
    return stream, np.concatenate([first, said(stream, sound[2 * RATE :], cuts)])


def test_it_speaks_as_before_until_the_new_one_has_listened_and_as_the_new_one_after() -> None:
    _, out = changed([HOP])
    before = said(VoiceStream(COMMITTED, SAMANTHA, RATE), long_speech(), [HOP])
    crossing = 2 * RATE + LISTENING_HOPS * HOP
    assert np.array_equal(out[: crossing - HOP], before[: crossing - HOP])
    alone = VoiceStream(SOFTER, OTHER, RATE)
    after = said(alone, long_speech(), [HOP])
    end = crossing + (CROSSING_HOPS + 100) * HOP
    level = lambda x: 10 * np.log10(np.mean(np.square(x[end:], dtype=np.float64)))  # noqa: E731
    assert abs(level(out) - level(after)) < 0.4  # it has known the speaker for less long
    assert level(out) - level(before) < -1.5


def test_where_blocks_end_changes_nothing() -> None:
    _, whole = changed([HOP])
    for cuts in ([1, 700, 0, 239, 5000], [10 * RATE], [77]):
        assert np.array_equal(changed(cuts)[1], whole), cuts


def gains(out: Samples, of: Samples) -> np.ndarray:
    """By how much `out` is louder than `of`, natural logarithm, hop by hop where there is sound; and what
    is left of it then, of its amplitude: ``[2, hops]``."""
    one, other = (x[: len(x) // HOP * HOP].reshape(-1, HOP).astype(np.float64) for x in (out, of))
    power = np.sum(other**2, axis=1)
    gain = np.sum(one * other, axis=1) / np.maximum(power, 1e-12)
    left = np.sqrt(np.sum((one - gain[:, None] * other) ** 2, axis=1) / np.maximum(power, 1e-12))
    heard = power > 1e-4 * power.max()
    return np.array([np.log(np.maximum(gain, 1e-3))[heard], left[heard]])


def test_nothing_clicks() -> None:
    """Between two that differ by 2.6 dB alone, all that is heard is a voice that gets softer."""
    stream, sound = VoiceStream(COMMITTED, SAMANTHA, RATE), long_speech()
    stream.change_over(SOFTER, SAMANTHA)
    out = said(stream, sound, [HOP])
    before = said(VoiceStream(COMMITTED, SAMANTHA, RATE), sound, [HOP])
    gain, left = gains(out, before)
    assert abs(gain[0]) < 1e-6
    assert abs(gain[-1] + 0.3) < 0.02
    assert np.abs(np.diff(gain)).max() < 3 * 0.3 / CROSSING_HOPS
    assert left.max() < 0.05
    middle = len(out) // 2 + HOP // 2
    for planted in (
        np.concatenate([before[:middle], np.exp(-0.3) * before[middle:]]),
        np.concatenate([before[:middle], before[middle - 3 : -3]]),
    ):
        gain, left = gains(planted, before)
        assert np.abs(np.diff(gain)).max() > 0.1 or left.max() > 0.05


def test_latency_manner_and_mood_stay_and_the_new_network_runs_in_the_core() -> None:
    stream, sound = VoiceStream(COMMITTED, SAMANTHA, RATE), long_speech()
    late = stream.latency_samples
    stream.set_manner(Manner(level_db=-6.0))
    stream.change_over(SOFTER, OTHER)
    said(stream, sound, [HOP])
    assert stream.latency_samples == late
    assert stream.persona is OTHER
    alone = VoiceStream(SOFTER, OTHER, RATE)
    alone.set_manner(Manner(level_db=-6.0))
    said(alone, sound, [HOP])
    for one in (stream, alone):
        one.reset()
    assert np.array_equal(stream.process(sound[:RATE]), alone.process(sound[:RATE]))


STUDIO = NativeConverter(weights(), "studio")


class Late:
    """The softer one in a stream of `studio`'s latency."""

    lookahead = STUDIO.lookahead

    def start(self) -> _core.Network:
        return SOFTER.start().late_by((self.lookahead - SOFTER.lookahead) // _core.HOP)


def test_one_that_looks_ahead_less_hears_so_much_later() -> None:
    stream, sound = VoiceStream(STUDIO, SAMANTHA, RATE), long_speech()
    late = stream.latency_samples
    stream.change_over(SOFTER, SAMANTHA)
    out = said(stream, sound, [HOP])
    expected = said(VoiceStream(Late(), SAMANTHA, RATE), sound, [7 * HOP])  # type: ignore[arg-type]
    arrived = late + (LISTENING_HOPS + CROSSING_HOPS) * HOP + RATE // 10
    assert np.abs(out[arrived:] - expected[arrived:]).max() < 1e-5
    stream.reset()
    assert np.array_equal(said(stream, sound, [7 * HOP]), expected)
    assert stream.latency_samples == late
    # And so the envelopes come when the melody does.
    alone = VoiceStream(SOFTER, SAMANTHA, RATE)
    after, lag = said(alone, sound, [HOP]), late - alone.latency_samples
    off = {more: unlike(out[arrived + lag + more :], after[arrived:]) for more in (-HOP, 0, HOP)}
    assert off[0] < 0.6 * min(off[-HOP], off[HOP]), off


def test_from_less_look_ahead_it_goes_back_to_as_much_as_it_began_with() -> None:
    stream, sound = VoiceStream(STUDIO, SAMANTHA, RATE), long_speech()
    for converter in (COMMITTED, STUDIO):
        stream.change_over(converter, SAMANTHA)
        said(stream, sound[: 6 * RATE], [HOP])
    stream.reset()
    again = VoiceStream(STUDIO, SAMANTHA, RATE)
    assert np.array_equal(said(stream, sound, [HOP]), said(again, sound, [HOP]))


# Each with what it takes digital silence for.
@pytest.mark.parametrize(("converter", "silent"), [(COMMITTED, -23.0), (Identity(), np.log(1e-10))])
def test_a_late_hearing_hears_the_same_wherever_blocks_end(
    converter: Converter, silent: float
) -> None:
    late, at = Hearing(converter, 4), 0
    frames = _core.LogMel().process(speech()[:RATE])
    silence = np.full((4, 80), silent, np.float32)
    expected = Hearing(converter)(np.concatenate([silence, frames]))
    for n in (1, 0, 3, 2, 40):
        assert np.array_equal(late(frames[at : at + n]), expected[at : at + n])
        at += n
    # What the core can run itself, it does.
    assert isinstance(late.convert, _core.Network) == (converter is COMMITTED)


def unlike(one: Samples, other: Samples) -> float:
    """By how much two sounds' spectra differ, natural logarithm, from one moment to the next alike."""

    def spectra(x: Samples) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(x, 2 * HOP)[:: HOP // 2]
        power = np.abs(np.fft.rfft(frames * np.hanning(2 * HOP))) ** 2
        bands = power[:, 1:161].reshape(len(power), 20, 8).sum(axis=2)
        return np.log(bands + 1e-3) / 2

    length = min(len(one), len(other))
    return float(np.abs(spectra(one[:length]) - spectra(other[:length])).mean())


def test_a_reset_meanwhile_lands_in_the_new_one() -> None:
    stream, sound = VoiceStream(COMMITTED, SAMANTHA, RATE), long_speech()
    stream.change_over(SOFTER, OTHER)
    said(stream, sound[:RATE], [HOP])
    stream.reset()
    alone = VoiceStream(SOFTER, OTHER, RATE)
    assert np.array_equal(stream.process(sound), alone.process(sound))


class Failing(Identity):
    """Answers well for a while, and then as `last` says."""

    lookahead = COMMITTED.lookahead

    def __init__(self, after: int, last: float | None) -> None:
        self.after, self.last = after, last

    def step(self, state: State, frames: Frames) -> tuple[State, Frames]:
        self.after -= len(frames)
        state, envelopes = super().step(state, frames)
        if self.after <= 0 and self.last is None:
            raise RuntimeError("broken")
        return state, envelopes if self.after > 0 else envelopes * np.float32(self.last or 0)


@pytest.mark.parametrize("after", [10, LISTENING_HOPS + 5])
@pytest.mark.parametrize("last", [None, float("nan")])
def test_a_new_one_that_fails_is_given_up_counted_and_the_old_one_speaks_on(
    after: int, last: float | None
) -> None:
    stream, out = changed([HOP], Failing(after, last))
    assert stream.status.faults == {"change_over_failed": 1}
    assert stream.persona is SAMANTHA
    before = said(VoiceStream(COMMITTED, SAMANTHA, RATE), long_speech(), [HOP])
    tail = out[-2 * RATE :], before[-2 * RATE :]
    power = [np.mean(np.square(of, dtype=np.float64)) for of in tail]
    assert abs(10 * np.log10(power[0] / power[1])) < 0.1


def test_another_look_ahead_and_a_second_change_meanwhile_are_refused() -> None:
    stream = VoiceStream(COMMITTED, SAMANTHA, RATE)
    between = Failing(after=10, last=None)
    between.lookahead -= 1
    for other in (NativeConverter(weights(), "studio"), between):
        with pytest.raises(SettingError) as caught:
            stream.change_over(other, OTHER)
        assert caught.value.code == "other_lookahead"
    stream.change_over(SOFTER, OTHER)
    with pytest.raises(SettingError) as caught:
        stream.change_over(COMMITTED, SAMANTHA)
    assert caught.value.code == "changing_over"
    said(stream, long_speech()[: 6 * RATE], [HOP])
    stream.change_over(COMMITTED, SAMANTHA)
