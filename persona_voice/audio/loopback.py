"""A device for tests: its clock moves when the test says so, its microphone is an array."""

import numpy as np
import numpy.typing as npt

from persona_voice.audio.devices import Callback
from persona_voice.errors import DeviceError

Samples = npt.NDArray[np.float32]


class Loopback:
    """Plays `microphone` into the callback, block by block, and keeps what comes out.

    Parameters
    ----------
    microphone : float32 array ``[samples]``
        Silence follows its end.
    sample_rate : int
        In Hz.
    block_samples : int
        Of every callback, unless `turn` says otherwise.
    """

    name = "loopback"
    latency_ms = 0.0

    def __init__(self, microphone: Samples, sample_rate: int, block_samples: int) -> None:
        self.sample_rate = sample_rate
        self.block_samples = block_samples
        self.unplugged = False
        self._microphone = microphone
        self._heard: list[Samples] = []
        self._clock = 0
        self._callback: Callback | None = None

    @property
    def loudspeaker(self) -> Samples:
        """All that was played so far."""
        return np.concatenate([np.zeros(0, np.float32), *self._heard])

    def start(self, callback: Callback) -> None:
        self._callback = callback

    def stop(self) -> None:
        self._callback = None

    def check(self) -> None:
        if self.unplugged:
            raise DeviceError("the sound device loopback has stopped", code="device_failed")

    def turn(
        self, block_samples: int | None = None, *, overrun: bool = False, underrun: bool = False
    ) -> None:
        """The clock moves by one block; `overrun` and `underrun` are what the driver reports."""
        count = self.block_samples if block_samples is None else block_samples
        block = np.zeros(count, np.float32)
        there = self._microphone[self._clock : self._clock + count]
        block[: len(there)] = there
        out = np.full(count, np.nan, np.float32)
        if self._callback is not None:
            self._callback(block, out, overrun, underrun)
            block[:] = np.nan  # it was only lent
            self._heard.append(out)
        self._clock += count
