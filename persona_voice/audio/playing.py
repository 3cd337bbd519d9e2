"""Sound to the loudspeaker alone, block by block, waiting while it is full."""

from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from persona_voice.audio.devices import choose, list_devices
from persona_voice.errors import DeviceError

Samples = npt.NDArray[np.float32]

# Sound that waits in the device: what the maker of blocks may be late by.
RESERVE_SECONDS = 0.3


class Player:
    """Plays mono float32 blocks; a context manager that ends when the last sample was heard.

    Raises
    ------
    DeviceError
        ``no_sound_library``, ``no_device``, ``device_failed``.
    """

    def __init__(self, sample_rate: int) -> None:
        device = choose(list_devices(), "output", None)
        import sounddevice

        self._failure = sounddevice.PortAudioError
        self._name, self._sample_rate = device.name, sample_rate
        try:
            self._stream: Any = sounddevice.OutputStream(
                samplerate=sample_rate,
                device=device.number,
                channels=1,
                dtype="float32",
                latency=RESERVE_SECONDS,
            )
            self._stream.start()
        except self._failure as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"the sound device {self._name} cannot be used at {self._sample_rate} Hz: {error}",
            code="device_failed",
        )

    def write(self, block: Samples) -> None:
        try:
            self._stream.write(np.ascontiguousarray(block))
        except self._failure as error:
            raise self._refusal(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._stream.stop()
            else:
                self._stream.abort()
            self._stream.close()
        except self._failure as failure:
            raise self._refusal(failure) from failure
