"""The sound card: which devices there are, and a stream from one and to one of them.

The library for it is loaded when a device is first asked for, never on import.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from persona_voice.errors import DeviceError

Samples = npt.NDArray[np.float32]
# A driver says unsteadily when a sample is due; the median of so long is steady,
SUPPLY_MS = 200
# to within this (PulseAudio on a machine that stood still for 28 ms at a time: 2.3 ms).
UNREST_MS = 2.5
# What came in, and whether the driver lost some before. The array is mono and only lent.
Hear = Callable[[Samples, bool], None]
# Room for what goes out, and whether the driver lacked some before. As above.
Play = Callable[[Samples, bool], None]


class Device(Protocol):
    """A microphone and a loudspeaker, each with a clock of its own."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def block_samples(self) -> int:
        """Of each call."""

    @property
    def latency_ms(self) -> float:
        """Of the device itself, both ways, as its driver states it."""

    def start(self, hear: Hear, play: Play) -> None:
        """From now on calls both, each on a thread of its own; a DeviceError leaves nothing running."""

    def stop(self) -> None: ...
    def check(self) -> None:
        """DeviceError ``device_failed`` if it stopped by itself."""


@dataclass(frozen=True)
class DeviceInfo:
    """A device as the driver describes it; `number` may change when one is plugged in."""

    number: int
    name: str
    driver: str
    inputs: int
    outputs: int
    sample_rate: int
    default: str  # "", "input", "output" or "input, output"


@dataclass(frozen=True)
class DeviceSettings:
    """Names, parts of names or numbers of devices; None is the system's choice.

    ``headroom_ms``: what the driver keeps ready to play beyond a block.
    """

    input: str | None = None
    output: str | None = None
    sample_rate: int = 48_000
    block_ms: float = 10.0
    headroom_ms: float = 20.0

    @property
    def block_samples(self) -> int:
        return max(1, round(self.sample_rate * self.block_ms / 1000))


def list_devices() -> list[DeviceInfo]:
    """Everything that the sound library knows; empty on a machine without a sound card."""
    library = _library()
    chosen = library.default.device
    drivers = library.query_hostapis()
    return [
        DeviceInfo(
            number=number,
            name=of["name"],
            driver=drivers[of["hostapi"]]["name"],
            inputs=of["max_input_channels"],
            outputs=of["max_output_channels"],
            sample_rate=round(of["default_samplerate"]),
            default=", ".join(
                way for way, of in zip(("input", "output"), chosen, strict=True) if of == number
            ),
        )
        for number, of in enumerate(library.query_devices())
    ]


def choose(devices: list[DeviceInfo], way: str, wanted: str | None) -> DeviceInfo:
    """The device for `way`, ``input`` or ``output``: by number, name, or a part of one name.

    Raises
    ------
    DeviceError
        ``no_device`` if there is none for that way, ``unknown_device`` if `wanted` is none of them.
    """
    able = [of for of in devices if (of.inputs if way == "input" else of.outputs)]
    if not able:
        raise DeviceError(f"there is no sound device for {way} on this machine", code="no_device")
    if wanted is None:
        return next((of for of in able if way in of.default), able[0])
    named = [of for of in able if wanted in (str(of.number), of.name)]
    named = named or [of for of in able if wanted.lower() in of.name.lower()]
    if len(named) == 1:
        return named[0]
    found = named or able
    raise DeviceError(
        f"{'no' if not named else 'more than one'} {way} device {wanted!r}; "
        f"{'there are' if not named else 'it may be'}: "
        + ", ".join(f"{of.number} {of.name}" for of in found),
        code="unknown_device",
        wanted=wanted,
        found=[of.name for of in found],
    )


class Supply:
    """Sees that an output ran dry, which a sound server may not tell (PulseAudio behind ALSA).

    When a sample is due, less the time of all that was given before it, is when the output began.
    That stays, but for the drift of two clocks; it comes later only by what was played meanwhile
    for want of samples.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._given = self._span = 0
        self._before: list[float] = []
        self._readings: list[float] = []

    def dry(self, due: float, count: int, flagged: bool) -> bool:
        """Whether it ran dry since this was last said; `count` samples are due at `due`, in seconds.

        As the driver flags it, or else as the clock shows it, up to twice `SUPPLY_MS` later.
        """
        self._readings.append(due - self._given / self._rate)
        self._given += count
        self._span += count
        if not flagged and self._span < self._rate * SUPPLY_MS // 1000:
            return False
        began = median(self._readings)
        dry = flagged or any(began - before > UNREST_MS / 1000 for before in self._before)
        # A span in which it ran dry lies on both sides of that, the first is the driver's, which fills
        # its buffer: the next is the new measure. The last two are, since one may lie between.
        first = self._given == self._span
        self._before = [] if dry or first else [*self._before[-1:], began]
        self._readings.clear()
        self._span = 0
        return dry


class SoundCard:
    """A stream from the microphone and one to the loudspeaker; mono is made from up to two channels.

    Two streams and not one both ways: on a sound server PortAudio's two-way stream spins (0.7 of a
    core against 0.05) and loses its output several times a second.

    Raises
    ------
    DeviceError
        ``no_sound_library``, ``no_device``, ``unknown_device``, ``device_failed``.
    """

    def __init__(self, settings: DeviceSettings) -> None:
        library, devices = _library(), list_devices()
        source = choose(devices, "input", settings.input)
        sink = choose(devices, "output", settings.output)
        self.name = source.name if source == sink else f"{source.name} to {sink.name}"
        self.sample_rate = settings.sample_rate
        self.block_samples = settings.block_samples
        self._library = library
        self._hear: Hear | None = None
        self._play: Play | None = None
        self._stopped = self._stopping = False
        self._supply = Supply(self.sample_rate)
        self._mono_in, self._mono_out = np.zeros((2, self.block_samples), np.float32)
        self._input = self._open(
            library.InputStream, source.number, source.inputs, "low", self._heard
        )
        try:
            self._output = self._open(
                library.OutputStream,
                sink.number,
                sink.outputs,
                settings.headroom_ms / 1000,
                self._due,
            )
        except DeviceError:
            self._input.close()
            raise

    def _open(
        self,
        kind: Any,
        number: int,
        channels: int,
        latency: float | str,
        callback: Callable[..., None],
    ) -> Any:
        return self._attempt(
            kind,
            samplerate=self.sample_rate,
            blocksize=self.block_samples,
            device=number,
            channels=min(2, channels),
            dtype="float32",
            latency=latency,
            callback=callback,
            finished_callback=self._finished,
        )

    @property
    def latency_ms(self) -> float:
        return float(1000 * (self._input.latency + self._output.latency))

    def start(self, hear: Hear, play: Play) -> None:
        self._hear, self._play = hear, play
        try:
            self._attempt(self._input.start)
            self._attempt(self._output.start)
        except DeviceError:
            self.stop()
            raise

    def stop(self) -> None:
        self._stopping = True
        try:
            self._attempt(self._input.close)
        finally:
            self._attempt(self._output.close)

    def check(self) -> None:
        if self._stopped and not self._stopping:
            raise DeviceError(f"the sound device {self.name} has stopped", code="device_failed")

    def _heard(self, indata: Any, _frames: int, _time: Any, flags: Any) -> None:
        """On the driver's thread: copies, nothing else."""
        if self._hear is not None:
            np.mean(indata, axis=1, out=self._mono_in)
            self._hear(self._mono_in, bool(flags.input_overflow))

    def _due(self, outdata: Any, _frames: int, time: Any, flags: Any) -> None:
        """As above."""
        if self._play is None:
            outdata[:] = 0
            return
        flagged = bool(flags.output_underflow)
        dry = self._supply.dry(time.outputBufferDacTime, len(outdata), flagged)
        self._play(self._mono_out, dry)
        outdata[:] = self._mono_out[:, None]

    def _finished(self) -> None:
        self._stopped = True

    def _attempt(self, do: Callable[..., Any], **words: Any) -> Any:
        try:
            return do(**words)
        except (self._library.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"the sound device {self.name} cannot be used at {self.sample_rate} Hz: {error}",
                code="device_failed",
            ) from error


def _library() -> ModuleType:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio itself is missing
        raise DeviceError(
            f"no sound library could be loaded ({error}); on Debian: apt install libportaudio2",
            code="no_sound_library",
        ) from error
    library: ModuleType = sounddevice
    return library
