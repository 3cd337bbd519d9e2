"""A device for tests: its clock moves when the test says so, its microphone is an array."""

import numpy as np
import numpy.typing as npt

from persona_voice.audio.devices import Hear, Play
from persona_voice.errors import DeviceError

Samples = npt.NDArray[np.float32]


class Loopback:
    """Lets `microphone` be heard, block by block, and keeps what is played.

    Parameters
    ----------
    microphone : float32 array ``[samples]``
        Silence follows its end.
    sample_rate : int
        In Hz.
    block_samples : int
        Of every call, unless `turn` says otherwise.
    """

    name = "loopback"
    latency_ms = 0.0

    def __init__(self, microphone: Samples, sample_rate: int, block_samples: int) -> None:
        self.sample_rate = sample_rate
        self.block_samples = block_samples
        self.unplugged = False
        self._microphone = microphone
        self._played: list[Samples] = []
        self._clock = 0
        self._session: tuple[Hear, Play] | None = None

    @property
    def loudspeaker(self) -> Samples:
        """All that was played so far."""
        return np.concatenate([np.zeros(0, np.float32), *self._played])

    def start(self, hear: Hear, play: Play) -> None:
        self._session = hear, play

    def stop(self) -> None:
        self._session = None

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
        if self._session is not None:
            hear, play = self._session
            hear(block, overrun)
            block[:] = np.nan  # it was only lent
            play(out, underrun)
            self._played.append(out)
        self._clock += count
