"""A stream between a microphone and a loudspeaker, live.

    microphone ─▶ input ring ─▶ worker: stream ─▶ output ring ─▶ loudspeaker
      clock p          p                            p + headroom       p

Both rings are on the microphone's clock. What was said at ``p`` is played at ``p + headroom`` plus the
latency of the stream, or not at all: a late block is counted and its time stays silent, so that no
lateness adds up. The loudspeaker's clock may be faster or slower by 500 ppm: its pace is measured and
followed, without a click. If the two part all the same, they are put together again, which is counted
too; a microphone that stops is waited for, and what it hears then is played as at the start. Faults are
data. Whatever fails, the loudspeaker fades to silence; the microphone's sound has no way to it but through
the stream.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.audio.devices import Device
from persona_voice.live.clocks import Crossing, Pace, Watch
from persona_voice.live.ring import Ring, Seam
from persona_voice.path.stream import RELEASE_MS, StreamStatus

Samples = npt.NDArray[np.float32]

# Input that waits longer than this is dropped: nobody would want to hear it by then.
RING_MS = 500
# Input is worked on in pieces of this at most: with a converter whose cost is by the call and not by
# the hop, as torch's is, a worker that is behind catches up the faster the longer they are.
PIECE_MS = 100


class Stream(Protocol):
    """What a session needs of a `VoiceStream`."""

    @property
    def latency_samples(self) -> int: ...
    @property
    def status(self) -> StreamStatus: ...
    def process(self, block: Samples, /) -> Samples: ...


@dataclass(frozen=True)
class SessionStatus:
    """How the stream does, and all faults.

    ``late``: pieces that were ready after they were due. ``input_overrun``, ``output_underrun``:
    times that input found no room, or output was due and there was none; of the driver's rings
    or of ours. ``clock_slip``: times that the clocks had parted. ``non_finite``: samples.
    ``converter_failed``, ``stream_failed``: times.

    ``clock_ppm``: by how much the loudspeaker's clock is faster than the microphone's, negative where it is
    slower, as far as that is known: 0 at first, and to 10 ppm after half a minute.
    """

    stream: StreamStatus = field(default_factory=StreamStatus)
    seconds: float = 0.0
    latency_ms: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    clock_ppm: float = 0.0


class Session:
    """Runs `stream` on `device`; a context, in which a worker thread runs.

    Parameters
    ----------
    stream : Stream
        At the sample rate of the device.
    device : Device
    headroom_ms : float
        Time for the worker beyond the block that it waits for; more of it, less lateness.
    """

    def __init__(self, stream: Stream, device: Device, headroom_ms: float = 20.0) -> None:
        rate = device.sample_rate
        self._stream, self._device = stream, device
        self._headroom = device.block_samples + round(rate * headroom_ms / 1000)
        size = max(rate * RING_MS // 1000, 4 * (self._headroom + device.block_samples))
        self._piece = rate * PIECE_MS // 1000
        self._input, self._output = Ring(size), Ring(size)
        self._output.write(0, np.zeros(self._headroom, np.float32))
        self._seam_in, self._seam_out = Seam(rate), Seam(rate)
        self._heard = 0  # the microphone's clock
        self._clock = 0  # the loudspeaker's: what it plays next
        self._playing = False  # once something was heard
        self._most_ahead = size  # of the microphone, that is: then it has stopped
        self._stopped_at = 0  # what the microphone's clock showed when it had
        self._wait = 0  # samples of silence until it goes on
        self._watch, self._pace, self._crossing = Watch(rate, 0), Pace(rate), Crossing()
        self._done = 0  # up to here the worker has taken input
        self._failed = False
        # Of the loudspeaker: moved by the driver's thread, and told by others to fall within so many ms,
        # or (None) to let through what was said from a moment of the microphone's clock on.
        self._fade = _core.Fade(rate)
        self._told: tuple[float | None, int] = None, 0
        # Each count is moved by one thread alone. All keys are there from the start: one that
        # came while `status` goes through them would be an error.
        self._callback_faults = dict.fromkeys(("input_overrun", "output_underrun", "clock_slip"), 0)
        self._worker_faults = dict.fromkeys(
            ("input_overrun", "late", "non_finite", "stream_failed"), 0
        )
        self._stop = threading.Event()
        self._no_news = threading.Lock()  # held while the worker has nothing to do
        self._worker = threading.Thread(target=self._run, name="persona-voice", daemon=True)

    def __enter__(self) -> Self:
        self._device.start(self.hear, self.play)  # first: it may fail
        self._worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        try:
            self._device.stop()
        finally:
            self._wake()
            self._worker.join()

    @property
    def latency_samples(self) -> int:
        """From microphone to loudspeaker, but for the device's own latency."""
        return self._headroom + self._stream.latency_samples + self._crossing.latency

    @property
    def status(self) -> SessionStatus:
        """DeviceError ``device_failed`` if the device has stopped by itself."""
        self._device.check()
        of, rate = self._stream.status, self._device.sample_rate
        faults = Counter(of.faults) + Counter(self._callback_faults) + Counter(self._worker_faults)
        return SessionStatus(
            stream=of,
            seconds=self._heard / rate,
            latency_ms=1000 * self.latency_samples / rate + self._device.latency_ms,
            faults=dict(faults),
            clock_ppm=self._pace.lasting,
        )

    def hear(self, heard: Samples, overrun: bool) -> None:
        """On the driver's thread: copies to the ring, counts, and wakes the worker."""
        self._input.write(self._heard, heard)
        self._heard += len(heard)
        self._pace.heard(self._heard)
        self._wake()
        if overrun:
            self._callback_faults["input_overrun"] += 1

    def play(self, out: Samples, underrun: bool) -> None:
        """On another thread of the driver: takes from the ring to the loudspeaker's clock, and counts."""
        if self._playing and self._clock - self._heard > self._most_ahead:
            self._playing, self._stopped_at = False, self._heard
            self._callback_faults["clock_slip"] += 1
        if not self._playing and self._heard > self._stopped_at:
            self._begin(self._heard - len(out))
        goes_on = self._playing and self._in_step(len(out))
        said = np.empty(self._crossing.takes(len(out)), np.float32)
        there = self._read(said) if goes_on else 0
        self._seam_out.join(said, there)
        self._crossing.fill(out, said)
        if goes_on and self._watch.started and self._pace.played(self._clock):
            self._crossing.follow(self._pace.ppm)
        self._fade_as_told(out)
        if underrun or (goes_on and self._watch.started and there < len(said)):
            self._callback_faults["output_underrun"] += 1

    def stop(self, release_ms: float = RELEASE_MS) -> None:
        """Falls silent, because the other has begun to speak: the loudspeaker fades within `release_ms`
        from the driver's next block on, and plays no more until `resume`. From any thread.

        Raises
        ------
        SettingError
            ``out_of_range`` for less than 10 or more than 80 ms.
        """
        _core.Fade(self._device.sample_rate).close(release_ms)  # is it allowed?
        self._told = release_ms, 0

    def resume(self) -> None:
        """Plays again what is said from now on; nothing of what was said before. From any thread."""
        if self._told[0] is not None:
            self._told = None, self._heard

    def _fade_as_told(self, out: Samples) -> None:
        """On the driver's thread."""
        release_ms, since = self._told
        if release_ms is not None:
            if self._fade.open:
                self._fade.close(release_ms)
        elif self._clock - len(out) >= since + self.latency_samples:
            self._fade.resume(0)  # nothing new where it is open
        if not self._fade.idle:
            out[:] = self._fade.process(out)

    def _begin(self, clock: int) -> None:
        self._playing, self._wait = True, 0
        self._watch = Watch(self._device.sample_rate, self._heard)
        self._jump(clock)

    def _jump(self, clock: int) -> None:
        self._clock = clock
        self._stay()

    def _stay(self) -> None:
        """Keeps the loudspeaker from here on where it is."""
        self._pace.restart(self._clock)
        self._crossing.follow(self._pace.ppm)

    def _in_step(self, count: int) -> bool:
        """Whether the loudspeaker may go on; if not, `count` samples are to be silent."""
        if self._wait > 0:
            self._wait -= count
            return False
        first = not self._watch.started
        parted = self._watch.parted(self._heard, count, self._heard - self._clock - count)
        if not parted:
            if first and self._watch.started:
                self._stay()
            return True
        if first or parted > 0:
            self._jump(self._clock + parted + count)
        else:
            self._wait = -parted - count
            self._stay()
        if not first:
            self._callback_faults["clock_slip"] += 1
        return False

    def _read(self, said: Samples) -> int:
        """Fills `said` from the clock on, as far as there is something; moves the clock."""
        clock, self._clock = self._clock, self._clock + len(said)
        there = min(max(self._output.end - clock, 0), len(said))
        if not self._output.read(clock, said[:there]):
            there = 0
        return there

    def work(self) -> bool:
        """Takes the next piece of input through the stream; False if there was none."""
        start = max(self._done, self._input.begin)
        block = np.empty(min(self._input.end - start, self._piece), np.float32)
        if not len(block):
            return False
        if not self._input.read(start, block):  # overtaken while it was copied
            start = self._input.end - len(block)
            self._input.read(start, block)
        if start > self._done:
            self._worker_faults["input_overrun"] += 1
        self._done = start + len(block)
        out, good = self._convert(block)
        self._seam_in.join(out, good)
        self._output.write(start + self._headroom, out)
        if self._playing and self._watch.started and start + self._headroom < self._clock:
            self._worker_faults["late"] += 1
        return True

    def _convert(self, block: Samples) -> tuple[Samples, int]:
        """As many samples as in `block`, and how many of them are fit to be heard: all or none."""
        silence = np.zeros_like(block), 0
        if self._failed:
            return silence
        try:
            out = np.array(self._stream.process(block), np.float32)
            fit = out.shape == block.shape
        except BaseException:  # a live fault is data, a panic of the core too: never the dry voice
            fit = False
        if not fit:
            self._failed = True
            self._worker_faults["stream_failed"] += 1
            return silence
        if bad := int(np.count_nonzero(~np.isfinite(out))):
            self._worker_faults["non_finite"] += bad
            return silence
        return out, len(out)

    def _wake(self) -> None:
        """Never waits."""
        if self._no_news.locked():
            self._no_news.release()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._no_news.acquire()
            while self.work() and not self._stop.is_set():
                pass
