"""A stream between a microphone and a loudspeaker, live.

    device callback ─▶ input ring ─▶ worker: stream ─▶ output ring ─▶ device callback
          clock p            p                           p + headroom          p

Both rings are on the device's clock. What was said at ``p`` is played at ``p + headroom`` plus the
latency of the stream, or not at all: a late block is counted and its time stays silent, so that
no lateness adds up. Faults are data. Whatever fails, the loudspeaker fades to silence; the
microphone's sound has no way to it but through the stream.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from persona_voice.audio.devices import Device
from persona_voice.live.ring import Ring, Seam
from persona_voice.path.stream import StreamStatus

Samples = npt.NDArray[np.float32]

# Input that waits longer than this is dropped: nobody would want to hear it by then.
RING_MS = 500
# The worker looks for new input this often: a fifth of the usual block.
LOOK_MS = 2
# Input is worked on in pieces of this at most. The converter's cost is for the most part by the call
# and not by the hop, so that a worker that is behind catches up the faster the longer they are.
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
    or of ours. ``non_finite``: samples. ``converter_failed``, ``stream_failed``: times.
    """

    stream: StreamStatus = field(default_factory=StreamStatus)
    seconds: float = 0.0
    latency_ms: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)


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
        self._clock = 0  # of the device: moved by its callback alone
        self._done = 0  # up to here the worker has taken input
        self._failed = False
        # Each count is moved by one thread alone. All keys are there from the start: one that
        # came while `status` goes through them would be an error.
        self._callback_faults = dict.fromkeys(("input_overrun", "output_underrun"), 0)
        self._worker_faults = dict.fromkeys(
            ("input_overrun", "late", "non_finite", "stream_failed"), 0
        )
        self._stop = threading.Event()
        self._worker = threading.Thread(target=self._run, name="persona-voice", daemon=True)

    def __enter__(self) -> Self:
        self._device.start(self.callback)  # first: it may fail
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
            self._worker.join()

    @property
    def latency_samples(self) -> int:
        """From microphone to loudspeaker, but for the device's own latency."""
        return self._headroom + self._stream.latency_samples

    @property
    def status(self) -> SessionStatus:
        """DeviceError ``device_failed`` if the device has stopped by itself."""
        self._device.check()
        of, rate = self._stream.status, self._device.sample_rate
        faults = Counter(of.faults) + Counter(self._callback_faults) + Counter(self._worker_faults)
        return SessionStatus(
            stream=of,
            seconds=self._clock / rate,
            latency_ms=1000 * self.latency_samples / rate + self._device.latency_ms,
            faults=dict(faults),
        )

    def callback(self, heard: Samples, out: Samples, overrun: bool, underrun: bool) -> None:
        """On the driver's thread: copies to and from the rings, and counts."""
        clock, self._clock = self._clock, self._clock + len(out)
        there = min(max(self._output.end - clock, 0), len(out))
        if not self._output.read(clock, out[:there]):
            there = 0
        self._seam_out.join(out, there)
        self._input.write(clock, heard)
        if overrun:
            self._callback_faults["input_overrun"] += 1
        if underrun or there < len(out):
            self._callback_faults["output_underrun"] += 1

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
        if start + self._headroom < self._clock:
            self._worker_faults["late"] += 1
        return True

    def _convert(self, block: Samples) -> tuple[Samples, int]:
        """As many samples as in `block`, and how many of them are fit to be heard: all or none."""
        silence = np.zeros_like(block), 0
        if self._failed:
            return silence
        try:
            out = self._stream.process(block)
            fit = out.shape == block.shape
        except Exception:  # a live fault is data: counted, and never the dry voice
            fit = False
        if not fit:
            self._failed = True
            self._worker_faults["stream_failed"] += 1
            return silence
        if bad := int(np.count_nonzero(~np.isfinite(out))):
            self._worker_faults["non_finite"] += bad
            return silence
        return np.array(out, np.float32), len(out)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.work():
                self._stop.wait(LOOK_MS / 1000)
