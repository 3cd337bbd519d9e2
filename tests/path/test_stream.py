"""The whole path: its laws, its faults and its shipped weights."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from persona_voice import _core, build
from persona_voice.converter import Frames, Identity
from persona_voice.errors import PersonaVoiceError
from persona_voice.path.offline import convert_array, converted
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import load_persona

RATES = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]

RECORDING = Path(__file__).parents[2] / "persona_voice/assets/recordings/arctic_awb_en_m.flac"


def speechlike(rate: int, seconds: float, seed: int = 0) -> np.ndarray:
    """A voice that glides and pauses, with some noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(rate * seconds)) / rate
    phase = 2 * np.pi * np.cumsum(130 + 40 * np.sin(2 * np.pi * 0.7 * t)) / rate
    voice = sum(np.sin(h * phase) / h for h in range(1, 12)) * (np.sin(2 * np.pi * 1.3 * t) > -0.4)
    return (0.1 * voice + 0.001 * rng.standard_normal(len(t))).astype(np.float32)


def identity(rate: int) -> VoiceStream:
    return VoiceStream(Identity(), load_persona(), rate)


def in_blocks(stream: VoiceStream, x: np.ndarray, lengths: list[int]) -> np.ndarray:
    out, at, k = [], 0, 0
    while at < len(x):
        block = x[at : at + lengths[k % len(lengths)]]
        out.append(stream.process(block))
        assert len(out[-1]) == len(block)
        at, k = at + len(block), k + 1
    return np.concatenate(out)


@pytest.mark.parametrize("rate", RATES)
def test_as_many_samples_come_back_whatever_the_blocks(rate: int) -> None:
    x = speechlike(rate, 0.5)
    stream = identity(rate)
    whole = stream.process(x)
    assert len(whole) == len(x)
    assert len(stream.flush()) == stream.latency_samples
    for lengths in ([1, 0, 7, 480, 3], [rate // 100], [997]):
        assert np.array_equal(in_blocks(identity(rate), x, lengths), whole)


@pytest.mark.parametrize("mode", ["live", "studio"])
def test_the_persona_in_blocks_equals_the_persona_whole(mode: str) -> None:
    x = speechlike(16_000, 1.5)
    whole = build.open_stream("samantha", 16_000, mode).process(x)
    for lengths in ([160], [1, 33, 0, 801]):
        parts = in_blocks(build.open_stream("samantha", 16_000, mode), x, lengths)
        assert np.abs(parts - whole).max() < 1e-5
    assert np.sqrt(np.mean(whole**2)) > 1e-3


def test_after_reset_and_after_flush_it_is_as_new() -> None:
    x = speechlike(16_000, 0.6)
    stream = identity(16_000)
    first = stream.process(x)
    stream.flush()
    assert np.array_equal(stream.process(x), first)
    stream.reset()
    assert np.array_equal(stream.process(x), first)


@pytest.mark.parametrize("rate", RATES)
def test_a_burst_comes_out_when_the_stream_says(rate: int) -> None:
    """Over bursts at many places within a hop. What sounds is pulses 5 ms apart, hence the millisecond;
    `python -m benches latency` measures it to a fraction of a sample."""
    delays = []
    for place in range(0, 240, 16):
        stream = identity(rate)
        n = rate // 2 + place * rate // 24_000
        x = np.zeros(rate, np.float32)
        width = rate // 500
        rng = np.random.default_rng(place)
        x[n : n + width] = 0.3 * rng.standard_normal(width) * np.hanning(width)
        y = stream.process(x)
        square_in, square_out = x.astype(float) ** 2, y.astype(float) ** 2
        index = np.arange(rate)
        delays.append(square_out @ index / square_out.sum() - square_in @ index / square_in.sum())
    off_ms = 1000 * (np.mean(delays) - identity(rate).latency_samples) / rate
    assert abs(off_ms) < 1.0


def test_silence_in_is_silence_out() -> None:
    out = build.open_stream("samantha", 16_000).process(np.zeros(32_000, np.float32))
    assert np.abs(out).max() < 1e-4


class Failing(Identity):
    """Fails at the tenth call, by raising or by answering NaN."""

    def __init__(self, how: str) -> None:
        self.how, self.calls = how, 0

    def step(self, state: Frames, frames: Frames) -> tuple[Frames, Frames]:
        self.calls += 1
        state, envelopes = super().step(state, frames)
        if self.calls < 10:
            return state, envelopes
        if self.how == "raises":
            raise RuntimeError("no more")
        return state, np.full_like(envelopes, np.nan)


@pytest.mark.parametrize("how", ["raises", "nan"])
def test_a_failing_converter_fades_to_silence_and_is_counted(how: str) -> None:
    x = speechlike(24_000, 2.0)
    stream = VoiceStream(Failing(how), load_persona(), 24_000)
    y = in_blocks(stream, x, [240])
    assert stream.status.faults == {"converter_failed": 1}
    assert np.abs(y[4800:]).max() < 1e-4  # neither the persona nor the dry voice
    assert np.abs(y[:2400]).max() > 0.01


def test_samples_that_are_not_finite_are_counted_and_taken_as_zeros() -> None:
    x = speechlike(16_000, 0.5)
    holes = x.copy()
    holes[[1000, 5000, 5001]] = np.nan, np.inf, -np.inf
    zeros = x.copy()
    zeros[[1000, 5000, 5001]] = 0
    stream = identity(16_000)
    assert np.array_equal(stream.process(holes), identity(16_000).process(zeros))
    assert stream.status.faults == {"non_finite": 3}


@pytest.mark.parametrize(
    "block",
    [np.zeros(10), np.zeros((10, 1), np.float32), [0.0] * 10, np.zeros(10, np.int16)],
)
def test_anything_but_float32_in_one_dimension_is_refused(block: object) -> None:
    stream = identity(16_000)
    with pytest.raises(PersonaVoiceError, match="float32") as caught:
        stream.process(block)  # type: ignore[arg-type]
    assert caught.value.code == "wrong_array"
    assert len(stream.process(np.zeros(10, np.float32))) == 10


@pytest.mark.parametrize("rate", [0, 7_999, 192_001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(PersonaVoiceError, match="8000..=192000") as caught:
        identity(rate)
    assert caught.value.code == "out_of_range"


def test_far_too_loud_stays_below_full_scale() -> None:
    y = identity(24_000).process(1000 * speechlike(24_000, 0.5))
    assert np.isfinite(y).all()
    assert np.abs(y).max() <= 1.0


def test_status_says_what_is_heard() -> None:
    stream = identity(16_000)
    rng = np.random.default_rng(1)
    room = (1e-3 * rng.standard_normal(16_000)).astype(np.float32)
    stream.process(room)
    assert not stream.status.speech
    t = np.arange(8_000) / 16_000
    voice = 0.1 * sum(np.sin(2 * np.pi * 120 * h * t) / h for h in range(1, 15))
    stream.process(voice.astype(np.float32))
    status = stream.status
    assert status.f0_in_hz is not None
    assert abs(status.f0_in_hz - 120) < 2
    assert status.f0_out_hz is not None
    assert abs(12 * np.log2(status.f0_out_hz / load_persona().register_hz)) < 4
    assert -30 < status.input_db < -10


def test_status_says_that_somebody_speaks() -> None:
    samples, rate = soundfile.read(RECORDING, dtype="float32")
    stream = identity(rate)
    heard = []
    for block in np.array_split(samples, 100):
        stream.process(block)
        heard.append(stream.status.speech)
    assert 0.5 < np.mean(heard) <= 1


def test_streams_in_several_threads_do_not_touch_each_other() -> None:
    inputs = [speechlike(16_000, 0.8, seed) for seed in range(4)]
    alone = [build.open_stream("samantha", 16_000).process(x) for x in inputs]
    together: list[np.ndarray | None] = [None] * 4

    def work(k: int) -> None:
        stream = build.open_stream("samantha", 16_000)
        together[k] = in_blocks(stream, inputs[k], [160])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert other is not None
        assert np.abs(one - other).max() < 1e-5


def test_offline_is_in_time_and_as_long_as_the_source() -> None:
    x = speechlike(22_050, 1.0)
    y = convert_array(identity(22_050), x)
    assert len(y) == len(x)
    stream = identity(22_050)
    late = np.concatenate([stream.process(x), stream.flush()])
    assert np.array_equal(y, late[stream.latency_samples :])


def test_offline_of_less_than_the_latency_is_as_long_too() -> None:
    x = speechlike(24_000, 0.01)
    assert len(np.concatenate(list(converted(identity(24_000), [x])))) == len(x)


def test_the_core_is_a_release_build() -> None:
    assert _core.build_profile == "release"


def test_status_and_latency_may_be_read_while_another_thread_processes() -> None:
    stream = identity(24_000)
    x = np.random.default_rng(8).uniform(-0.1, 0.1, 24_000).astype(np.float32)
    begun, read = threading.Event(), threading.Event()

    def work() -> None:
        while not read.is_set():
            stream.process(x)
            begun.set()

    worker = threading.Thread(target=work)
    worker.start()
    begun.wait()
    try:
        for _ in range(5_000):
            assert stream.latency_samples > 0
            assert stream.status.faults == {}
    finally:
        read.set()
        worker.join()
