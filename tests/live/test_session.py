"""Sessions on the loopback device: the clock moves when the test turns it, the worker when told.

The double for the stream gives the dry input back, late by its latency: whatever must not be
heard would be, and every sample's place can be checked.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest

from persona_voice.audio.loopback import Loopback
from persona_voice.converter import Identity
from persona_voice.errors import DeviceError, SettingError
from persona_voice.live.ring import Samples
from persona_voice.live.session import RING_MS, Session
from persona_voice.path.stream import StreamStatus, VoiceStream
from persona_voice.persona.persona import load_persona

RATE = 48_000
BLOCK = 480
HEADROOM_MS = 20
HEADROOM = BLOCK + RATE * HEADROOM_MS // 1000
# A seam's fall and rise, in samples.
SEAM = 240
# What the way to the loudspeaker's clock takes, in samples.
CROSSING = 25
TraceFunction = Callable[[FrameType, str, Any], Any]


class Dry:
    """Hands the input on, `latency_samples` late; breaks on request."""

    latency_samples = 100

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.breaks: str = ""
        self._before = np.zeros(self.latency_samples, np.float32)

    @property
    def status(self) -> StreamStatus:
        return StreamStatus(faults=dict(self.faults))

    def process(self, block: Samples, /) -> Samples:
        joined = np.concatenate([self._before, block])
        out, self._before = joined[: len(block)], joined[len(block) :]
        if self.breaks == "raises":
            raise RuntimeError("broken")
        if self.breaks == "panics":  # as PyO3's PanicException, which is no Exception
            raise BaseException("panicked")
        if self.breaks == "shape":
            return out[1:]
        if self.breaks == "nan":
            out = out.copy()
            out[7] = np.nan
        return out


def speech(seconds: float = 1.0) -> Samples:
    """Smooth and never near silence for long, so that a step stands out."""
    time = np.arange(int(RATE * seconds)) / RATE
    return (0.5 * np.sin(2 * np.pi * 110 * time)).astype(np.float32)


STEEPEST = 2 * np.pi * 110 / RATE * 0.5  # of `speech`, per sample
# A fall from a peak in a seam's time, on top of the sound's own slope.
NO_CLICK = STEEPEST + 0.5 * np.pi / 2 / SEAM * 1.5


def start(microphone: Samples | None = None) -> tuple[Loopback, Session, Dry]:
    device = Loopback(speech() if microphone is None else microphone, RATE, BLOCK)
    stream = Dry()
    session = Session(stream, device, HEADROOM_MS)
    device.start(session.hear, session.play)
    return device, session, stream


def in_time(device: Loopback, session: Session, turns: int) -> None:
    for _ in range(turns):
        device.turn()
        while session.work():
            pass


def assert_close(out: Samples, said: Samples) -> None:
    """But for the ripple of the filter between the clocks."""
    np.testing.assert_allclose(out, said, atol=1e-4)


def workers() -> list[threading.Thread]:
    return [of for of in threading.enumerate() if of.name == "persona-voice"]


def steepest(samples: Samples) -> float:
    return float(np.abs(np.diff(samples, prepend=np.float32(0))).max())


def test_sound_comes_out_exactly_as_late_as_stated() -> None:
    device, session, _ = start()
    in_time(device, session, 50)
    late = session.latency_samples
    assert late == HEADROOM + Dry.latency_samples + CROSSING
    out, said = device.loudspeaker, speech()
    assert not out[:HEADROOM].any()
    assert_close(out[late + SEAM :], said[SEAM : len(out) - late])
    with pytest.raises(AssertionError):
        assert_close(out[late + SEAM + 1 :], said[SEAM : len(out) - late - 1])
    assert session.status.faults == {}
    assert session.status.latency_ms == 1000 * late / RATE
    assert session.status.seconds == len(out) / RATE


@pytest.mark.parametrize("blocks", [[1], [479, 1, 33], [BLOCK, 2 * BLOCK, 17], [0, 480]])
def test_blocks_of_any_length_give_the_same(blocks: list[int]) -> None:
    device, session, _ = start()
    while len(device.loudspeaker) < 9_000:
        for count in blocks:
            device.turn(min(count, BLOCK) if count else 0)
            while session.work():
                pass
    whole, other, _ = start()
    in_time(whole, other, 20)
    n = min(len(device.loudspeaker), len(whole.loudspeaker))
    np.testing.assert_array_equal(device.loudspeaker[:n], whole.loudspeaker[:n])
    assert session.status.faults == {}


def test_a_worker_behind_gives_an_underrun_then_late_blocks_and_no_click() -> None:
    device, session, _ = start()
    in_time(device, session, 20)
    for _ in range(10):  # 100 ms without the worker: 20 ms more than the headroom are lost
        device.turn()
    before = len(device.loudspeaker)
    while session.work():
        pass
    in_time(device, session, 20)
    faults = session.status.faults
    assert faults["output_underrun"] == 10 - HEADROOM // BLOCK
    assert faults["late"] > 0
    assert set(faults) == {"output_underrun", "late"}
    out, late = device.loudspeaker, session.latency_samples
    missing = out[20 * BLOCK + HEADROOM : before]
    assert not missing[SEAM + 2 * CROSSING :].any()
    assert steepest(out) < NO_CLICK
    # No lateness has added up.
    after = before + 2 * SEAM
    assert_close(out[after:], speech()[after - late : len(out) - late])


def test_input_that_nobody_takes_makes_room_oldest_first() -> None:
    device, session, _ = start(speech(3.0))
    in_time(device, session, 10)
    turns = 2 * RING_MS * RATE // 1000 // BLOCK
    for _ in range(turns):
        device.turn()
    while session.work():
        pass
    assert session.status.faults["input_overrun"] == 1
    in_time(device, session, 20)
    out, late = device.loudspeaker, session.latency_samples
    after = (10 + turns) * BLOCK + HEADROOM + 2 * SEAM
    assert_close(out[after:], speech(3.0)[after - late : len(out) - late])
    assert steepest(out) < NO_CLICK


def turns_apart(device: Loopback, session: Session, heard: int, played: int) -> Samples:
    """The clocks part: blocks are heard, others are played, and all are worked on."""
    parts = []
    for n in range(max(heard, played)):
        if n < heard:
            session.hear(np.full(BLOCK, 0.25, np.float32), False)
            while session.work():
                pass
        if n < played:
            out = np.full(BLOCK, np.nan, np.float32)
            session.play(out, False)
            parts.append(out)
    return np.concatenate(parts or [np.zeros(0, np.float32)])


@pytest.mark.parametrize(("heard", "played"), [(8, 0), (0, 8), (30, 0), (0, 60)])
def test_clocks_that_parted_are_put_together_again_counted_and_without_a_click(
    heard: int, played: int
) -> None:
    device, session, _ = start(np.zeros(0, np.float32))
    watch = 2_000 // 10
    before = turns_apart(device, session, 50, 50)
    between = turns_apart(device, session, heard, played)
    after = turns_apart(device, session, 2 * watch, 2 * watch)
    assert session.status.faults["clock_slip"] == 1
    out = np.concatenate([before, between, after])[10 * BLOCK :]
    assert np.abs(np.diff(out)).max() < 1.5 * 0.25 * np.pi / 2 / SEAM
    assert_close(after[-20 * BLOCK :], np.full(20 * BLOCK, 0.25, np.float32))
    # In step again: what is said now is heard as late as stated, to the slip that is allowed.
    said = 0
    while not np.abs(turns_apart(device, session, 1, 1) - 0.25).max() > 0.01:
        session.hear(np.zeros(BLOCK, np.float32), False)
        while session.work():
            pass
        session.play(np.empty(BLOCK, np.float32), False)
        said += 2
        assert said < 20
    assert abs(said * BLOCK - session.latency_samples) <= 3 * BLOCK + 30 * RATE // 1000


@pytest.mark.parametrize("stopped_s", [1, 30])
def test_a_microphone_that_stopped_is_heard_again_as_soon_as_it_goes_on(stopped_s: int) -> None:
    _, session, _ = start()
    said, out = np.full(BLOCK, 0.5, np.float32), np.zeros(BLOCK, np.float32)

    def turn(*, goes_on: bool) -> bool:
        if goes_on:
            session.hear(said, overrun=False)
        while session.work():
            pass
        session.play(out, underrun=False)
        return bool(out.any())

    assert [turn(goes_on=True) for _ in range(100)][-1]
    assert not [turn(goes_on=False) for _ in range(100 * stopped_s)][-1]
    faults = session.status.faults
    again = [turn(goes_on=True) for _ in range(300)]
    assert all(again[HEADROOM // BLOCK + 1 :])
    assert session.status.faults == faults
    assert faults["clock_slip"] == 1
    assert faults["output_underrun"] <= RING_MS // 10  # what nobody says is not missed for long


@pytest.mark.parametrize("before", [0, 45])
@pytest.mark.parametrize("filled", [0, 1, 3, 7, 30])
def test_a_driver_that_fills_its_buffer_at_first_is_no_fault_and_takes_none_of_the_headroom(
    filled: int, before: int
) -> None:
    """Though the microphone may have been heard for a while by then."""
    session = Session(Dry(), Loopback(speech(), RATE, BLOCK), HEADROOM_MS)
    said, late = speech(2.0), session.latency_samples
    out = np.zeros(BLOCK, np.float32)
    for turn in range(before):
        session.hear(said[turn * BLOCK :][:BLOCK].copy(), False)
        while session.work():
            pass
    said = said[before * BLOCK :]
    for turn in range(60):
        session.hear(said[turn * BLOCK :][:BLOCK].copy(), False)
        if turn < 40 or turn % 3 == 0:  # as late as the headroom allows
            while session.work():
                pass
        for _ in range(1 if turn else 1 + filled):
            session.play(out, False)
        if turn > 30:
            assert_close(out, said[turn * BLOCK - late :][:BLOCK])
    assert session.status.faults == {}


def test_a_microphone_that_gives_all_that_it_kept_at_first_is_heard_from_then_on() -> None:
    """As a sound server's does that was idle: seconds within a few blocks."""
    device, session, _ = start(np.zeros(0, np.float32))
    turns_apart(device, session, 1, 1)
    for _ in range(3):
        turns_apart(device, session, 300, 1)
    out = turns_apart(device, session, 100, 100)
    faults = session.status.faults
    assert "clock_slip" not in faults
    assert "output_underrun" not in faults
    assert_close(out[-50 * BLOCK :], np.full(50 * BLOCK, 0.25, np.float32))


def test_clocks_that_only_tremble_are_left_alone() -> None:
    device, session, _ = start(np.zeros(0, np.float32))
    for _ in range(200):  # bursts of two blocks
        turns_apart(device, session, 2, 0)
        turns_apart(device, session, 0, 2)
    assert session.status.faults == {}


def test_what_the_driver_lost_is_counted() -> None:
    device, session, _ = start()
    device.turn(overrun=True)
    device.turn(underrun=True)
    device.turn(underrun=True)
    assert session.status.faults == {"input_overrun": 1, "output_underrun": 2}


def test_a_block_that_lacks_sound_and_that_the_driver_lost_is_one_underrun() -> None:
    device, session, _ = start()
    for _ in range(1 + HEADROOM // BLOCK):  # without the worker
        device.turn()
    before = session.status.faults.get("output_underrun", 0)
    device.turn(underrun=True)
    assert session.status.faults["output_underrun"] == before + 1


@pytest.mark.parametrize("how", ["raises", "panics", "shape"])
def test_a_stream_that_fails_is_faded_out_for_good(how: str) -> None:
    device, session, stream = start()
    in_time(device, session, 20)
    stream.breaks = how
    in_time(device, session, 20)
    stream.breaks = ""
    in_time(device, session, 20)
    assert session.status.faults == {"stream_failed": 1}
    out = device.loudspeaker
    assert out[20 * BLOCK :].any()
    assert not out[20 * BLOCK + HEADROOM + SEAM + 2 * CROSSING :].any()
    assert steepest(out) < NO_CLICK


def test_a_block_that_is_not_finite_is_silent_and_the_stream_goes_on() -> None:
    device, session, stream = start()
    in_time(device, session, 20)
    stream.breaks = "nan"
    in_time(device, session, 3)
    stream.breaks = ""
    in_time(device, session, 20)
    assert session.status.faults == {"non_finite": 3}
    out = device.loudspeaker
    bad = out[20 * BLOCK + HEADROOM :][: 3 * BLOCK]
    assert not bad[SEAM + 2 * CROSSING :].any()
    assert out[-BLOCK:].any()
    assert steepest(out) < NO_CLICK


def test_faults_of_the_stream_add_to_those_of_the_session() -> None:
    device, session, stream = start()
    stream.faults["non_finite"] = 2
    stream.faults["converter_failed"] = 1
    stream.breaks = "nan"
    in_time(device, session, 1)
    assert session.status.faults == {"non_finite": 3, "converter_failed": 1}


class FailingConverter(Identity):
    fails = False

    def step(self, state: Samples, frames: Samples) -> tuple[Samples, Samples]:
        if self.fails:
            raise RuntimeError("out of memory")
        return super().step(state, frames)


def test_a_converter_that_fails_leaves_silence_and_not_the_speaker() -> None:
    converter = FailingConverter()
    stream = VoiceStream(converter, load_persona("samantha"), RATE)
    rng = np.random.default_rng(5)
    said = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    device = Loopback(said, RATE, BLOCK)
    session = Session(stream, device, HEADROOM_MS)
    device.start(session.hear, session.play)
    in_time(device, session, 40)
    before = device.loudspeaker[-10 * BLOCK :]
    assert np.abs(before).max() > 0.01
    converter.fails = True
    in_time(device, session, 40)
    assert session.status.faults == {"converter_failed": 1}
    after = device.loudspeaker[-10 * BLOCK :]
    assert np.abs(after).max() < 1e-4


def third_difference(x: Samples) -> float:
    return float(np.abs(np.diff(x, 3)).max())


@pytest.mark.parametrize("release_ms", [10, 40, 80])
def test_a_session_that_is_stopped_fades_in_time_and_goes_on_without_a_click(
    release_ms: int,
) -> None:
    device, session, _ = start(speech(4.0))
    in_time(device, session, 50)
    session.stop(release_ms)
    in_time(device, session, 50)
    session.resume()
    in_time(device, session, 50)
    out = device.loudspeaker
    length = RATE * release_ms // 1000
    stopped, resumed = 50 * BLOCK, 100 * BLOCK
    assert out[stopped : stopped + length // 2].any()
    assert not out[stopped + length : resumed].any()
    # Nothing of what was said before `resume`, all of what was said after.
    heard = int(np.argmax(out[resumed:] != 0))
    assert session.latency_samples <= heard < session.latency_samples + BLOCK + 10
    risen = resumed + session.latency_samples + BLOCK + RATE // 100
    assert_close(out[risen:], speech(4.0)[risen - session.latency_samples :][: len(out) - risen])
    assert third_difference(out[20 * BLOCK :]) < 1e-3
    cut = out.copy()
    cut[30 * BLOCK + 77 : 31 * BLOCK] = 0
    assert third_difference(cut[20 * BLOCK :]) > 1e-2  # the mutant
    assert session.status.faults == {}


def test_a_session_may_be_stopped_again_before_it_goes_on() -> None:
    device, session, _ = start(speech(4.0))
    in_time(device, session, 30)
    session.resume()  # never stopped: nothing
    session.stop(10)
    in_time(device, session, 10)
    session.resume()
    in_time(device, session, 1)
    session.stop(10)
    in_time(device, session, 20)
    assert not device.loudspeaker[31 * BLOCK :].any()


def test_a_release_out_of_range_is_refused_by_a_session() -> None:
    device, session, _ = start(speech(4.0))
    with pytest.raises(SettingError, match=r"release_ms must lie in 10\.\.=80, got 5"):
        session.stop(5)
    in_time(device, session, 30)
    assert device.loudspeaker[-BLOCK:].any()


@pytest.mark.parametrize("step", range(60))
def test_a_fault_that_comes_while_the_status_is_read_is_no_error(step: int) -> None:
    device, session, _ = start()
    device.turn(overrun=True)  # one kind of fault has been; the first of the other is to come
    steps = iter(range(step))

    def trace(_frame: FrameType, _event: str, _argument: object) -> TraceFunction:
        """Stands for the driver's thread, which comes between any two lines of the reader."""
        if next(steps, None) is None:
            device.turn(underrun=True)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert session.status.faults["input_overrun"] == 1
    finally:
        sys.settrace(before)


def test_a_device_that_stops_by_itself_is_an_error_with_a_code() -> None:
    device, session, _ = start()
    device.unplugged = True
    with pytest.raises(DeviceError, match="loopback has stopped") as caught:
        _ = session.status
    assert caught.value.code == "device_failed"


def test_the_worker_thread_takes_what_the_microphone_leaves() -> None:
    heard = threading.Event()

    class Telling(Dry):
        def process(self, block: Samples, /) -> Samples:
            heard.set()
            return super().process(block)

    device = Loopback(speech(), RATE, BLOCK)
    with Session(Telling(), device, HEADROOM_MS):
        device.turn()
        assert heard.wait(10)
        assert len(workers()) == 1
    assert workers() == []
    device.turn()
    assert len(device.loudspeaker) == BLOCK  # the session has let go of the device


def test_a_device_that_does_not_start_leaves_no_thread() -> None:
    class Busy(Loopback):
        def start(self, hear: object, play: object) -> None:
            raise DeviceError("the sound device is busy", code="device_failed")

    with pytest.raises(DeviceError), Session(Dry(), Busy(speech(), RATE, BLOCK), HEADROOM_MS):
        pass
    assert workers() == []
