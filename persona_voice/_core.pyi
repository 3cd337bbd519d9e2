"""The Rust core: streaming stages and analyzers at audio rate.

Every class is one stream. ``process`` takes any block length, zero too; a block is a contiguous
``float32`` array ``[samples]``, anything else is a ``SettingError`` with code ``wrong_array``. The
interpreter lock is released while a block is worked on. ``clone`` is the snapshot.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float32]
# Levels in and out in dBFS, speech, F0 in and out in Hz, samples not finite, failed.
Status = tuple[float, float, bool, float | None, float | None, int, bool]

# Register in semitones, range in octaves, level, breath and tilt in dB, tract in octaves: differences from how she usually speaks.
Manner = tuple[float, float, float, float, float, float]

build_profile: str
RATE: int
HOP: int

class LogMel:
    """Natural logarithm of the power in 80 mel bands, one frame per 10 ms at 24 kHz."""

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 80]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> LogMel: ...
    width: int
    window: int
    lookahead: int

class Prosody:
    """F0 of any speaker to the persona's register and range; held through unvoiced frames."""

    def __init__(self, register_hz: float, range: float) -> None:
        """``register_hz`` 60 to 500: geometric mean F0; ``range`` 0 to 3: of the deviations."""
    def set_targets(self, register_hz: float, range: float) -> None:
        """Steers there over 200 ms."""
    def process(self, frames: Frames, /) -> Samples:
        """Frames ``[n, 4]`` of ``F0Tracker`` to F0 in Hz, ``[n]``."""
    def reset(self) -> None: ...
    def clone(self) -> Prosody: ...

class Network:
    """The converter's network and ``Articulation``: log-mel frames in, two envelopes out; what torch
    computes, to 1e-4.

    ``late`` is the head's: hops by which the moment of an answer lies before its frame's own.
    ``tensors`` are flat float32 arrays by name: ``enter.*``, ``layers.N.norm.weight``,
    ``layers.N.up.*``, ``layers.N.down.*``, ``norm.weight``, ``head.*``, weights row after row.
    ``SettingError`` ``wrong_shape`` if one is missing or of another length, ``not_finite``: which one
    it is, is told. Clones share weights.
    """

    def __init__(
        self,
        *,
        channels: int,
        hidden: int,
        input_frames: int,
        dilations: list[int],
        late: int,
        tensors: dict[str, Samples],
    ) -> None: ...
    def process(self, frames: Frames, /) -> Frames:
        """``[n, 80]`` log-mel to ``[n, 160]`` log amplitudes: 80 of harmonics, 80 of noise."""
    def reset(self) -> None: ...
    def clone(self) -> Network: ...

class Articulation:
    """Gives envelopes back what the mean of all likely answers lacks: the speaker's articulation."""

    def __init__(self) -> None: ...
    def process(self, own: Frames, envelopes: Frames, /) -> Frames:
        """The speaker's log amplitudes ``[n, 80]`` and the network's ``[n, 160]``, of the same
        moments, to ``[n, 160]``."""
    def reset(self) -> None: ...
    def clone(self) -> Articulation: ...

class Vocoder:
    """Frames of F0 and two envelopes to sound, 240 samples a frame."""

    def __init__(self, seed: int) -> None: ...
    def process(self, frames: Frames, /) -> Samples:
        """Frames ``[n, 161]``: F0 in Hz (0: none), 80 + 80 log amplitudes; ``[n * 240]``."""
    def reset(self) -> None: ...
    def clone(self) -> Vocoder: ...
    latency: int
    width: int

class Path:
    """All of the path but the converter: speech in, the persona out, as many samples as came in."""

    def __init__(
        self, *, sample_rate: int, lookahead: int, register_hz: float, range: float, seed: int
    ) -> None: ...
    def process(self, block: Samples, convert: Network | Callable[[Frames], Frames], /) -> Samples:
        """A block, and what converts its log-mel frames ``[n, 80]`` to envelopes ``[n, 160]``.

        With a network no Python runs and the interpreter is free. What a callable raises, or
        answers that is not finite, ends the voice until ``reset``: silence, and ``failed``.
        """
    def set_targets(self, register_hz: float, range: float) -> None:
        """Steers to another register and range, over 200 ms from the next hop on."""
    def set_manner(self, manner: Manner) -> None:
        """Speaks in another manner until told otherwise, over 200 ms from the next hop on."""
    def express(self, mood: Manner, half_life_hops: float) -> None:
        """A manner on top of that, of which half is left after each half-life; 0: it stays."""
    def reset(self) -> None: ...
    def clone(self) -> Path: ...
    @property
    def latency(self) -> int: ...
    @property
    def status(self) -> Status: ...

class Batch:
    """Streams of one sample rate stepped together, each as it would sound alone."""

    def __init__(self, network: Network, /, *, sample_rate: int, slots: int) -> None: ...
    def join(self, path: Path, /) -> int:
        """A stream that begins as ``path`` is, which must be new; its slot."""
    def leave(self, slot: int, /) -> None: ...
    def process(self, blocks: Frames, /) -> Frames:
        """Blocks ``[slots, samples]`` to as many; rows that nobody has joined come back as zeros."""
    def set_targets(self, slot: int, register_hz: float, range: float) -> None: ...
    def set_manner(self, slot: int, manner: Manner) -> None: ...
    def express(self, slot: int, mood: Manner, half_life_hops: float) -> None: ...
    def status(self, slot: int, /) -> Status: ...
    def clone(self) -> Batch: ...
    slots: int

class Ends:
    """Both ends of streams of one sample rate: up to their log-mel frames, and from their sound on.

    From 129 slots on they share the processor's cores, a thread each while they work. What lies
    between is made elsewhere, a hop of all slots in a step. Out of each slot go 87 numbers:
    1 if there is a hop (else the rest is 0), 1 if the envelopes are to be silent, F0 in Hz, the
    manner's level, breath and tilt in dB and tract in octaves, 80 of log-mel. 241 come back: not 0 if
    the converter failed, 240 samples at 24 kHz.
    """

    def __init__(self, *, sample_rate: int, slots: int) -> None: ...
    def join(self, path: Path, /) -> int:
        """A stream that begins as ``path`` is, which must be new; its slot."""
    def leave(self, slot: int, /) -> None: ...
    def process(self, blocks: Frames, make: Callable[[Frames], Frames], /) -> Frames:
        """Blocks ``[slots, samples]`` to as many; ``make`` gets ``[slots, 87]``, gives ``[slots, 241]``.

        What it raises silences all streams that are there, for good, and they count as failed.
        """
    def set_manner(self, slot: int, manner: Manner) -> None: ...
    def express(self, slot: int, mood: Manner, half_life_hops: float) -> None: ...
    def status(self, slot: int, /) -> Status: ...

class Resampler:
    """Any rate to any rate, 8 to 192 kHz, by a linear-phase filter; equal rates pass unchanged.

    Streaming
    ---------
    ``n`` samples in give ``ceil(n * output_rate / input_rate)`` out, ``flush`` gives the last
    ``latency``: 31 samples at 48 to 24 kHz, 62 at 24 to 48 kHz.
    """

    def __init__(self, input_rate: int, output_rate: int) -> None: ...
    def process(self, block: Samples, /) -> Samples: ...
    def flush(self) -> Samples: ...
    def reset(self) -> None: ...
    def clone(self) -> Resampler: ...
    @property
    def latency(self) -> int: ...
    @property
    def input_rate(self) -> int: ...
    @property
    def output_rate(self) -> int: ...

class Loudness:
    """Level of each hop in dBFS ``[frames, 1]``; a full-scale sine gives -3.01, silence -120."""

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames: ...
    def reset(self) -> None: ...
    def clone(self) -> Loudness: ...
    @property
    def width(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def lookahead(self) -> int: ...

class Limiter:
    """Never louder than ``ceiling_db`` (-60 to 0 dBFS); unchanged below it, 36 samples later."""

    def __init__(self, ceiling_db: float) -> None: ...
    def process(self, block: Samples, /) -> Samples: ...
    def flush(self) -> Samples: ...
    def reset(self) -> None: ...
    def clone(self) -> Limiter: ...
    @property
    def latency(self) -> int: ...
    @property
    def input_rate(self) -> int: ...
    @property
    def output_rate(self) -> int: ...

class Fade:
    """Fades to silence and back in 20 ms; begins open, writes zeros when closed."""

    def __init__(self) -> None: ...
    def set_open(self, open: bool, /) -> None:
        """From the next sample on, opens or closes."""
    @property
    def open(self) -> bool:
        """Whether it is open or opening."""
    @property
    def silent(self) -> bool:
        """Whether it lets nothing through."""
    def process(self, block: Samples, /) -> Samples: ...
    def flush(self) -> Samples: ...
    def reset(self) -> None: ...
    def clone(self) -> Fade: ...
    @property
    def latency(self) -> int: ...
    @property
    def input_rate(self) -> int: ...
    @property
    def output_rate(self) -> int: ...

class F0Evidence:
    """Two correlations at each of 98 F0, half a semitone apart from 55 Hz on, and four numbers about the
    whole: what ``F0Tracker`` goes by."""

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 200]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> F0Evidence: ...
    width: int
    window: int
    lookahead: int

class F0Tracker:
    """F0 in Hz (0 unvoiced), calibrated confidence, voiced or not, level in dBFS; 55 to 900 Hz.

    Decisions come ``late_hops`` hops late, 0 to 5: look-ahead is 10 ms and 10 ms for each.
    """

    def __init__(self, late_hops: int) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 4]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> F0Tracker: ...
    width: int
    window: int
    lookahead: int

class Vad:
    """Speech probability, and speech or not after hysteresis."""

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 2]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> Vad: ...
    width: int
    window: int
    lookahead: int
