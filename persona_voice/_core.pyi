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
# Dynamics as a multiple of the speaker's, vibrato in semitones, jitter as a share of F0, onset in dB.
Delivery = tuple[float, float, float, float]

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
    hop: int
    window: int
    lookahead: int

class Prosody:
    """F0 of any speaker to the persona's register and range; held through unvoiced frames."""

    def __init__(self, register_hz: float, range: float) -> None:
        """``register_hz`` 60 to 500: geometric mean F0; ``range`` 0 to 3: of the deviations."""
    def set_targets(self, register_hz: float, range: float) -> None:
        """Steers there over 200 ms."""
    def set_delivery(self, delivery: Delivery) -> None:
        """Moves pitch and level otherwise than the speaker, over 200 ms."""
    def process(self, frames: Frames, /) -> Samples:
        """Frames ``[n, 4]`` of ``F0Tracker`` to F0 in Hz, ``[n]``."""
    @property
    def level_db(self) -> float:
        """By how much the newest frame is to be louder."""
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
    def late_by(self, hops: int) -> Network:
        """For another stream, which has heard nothing, and hears each frame so many hops, 0 to 200, after it came.
        ``SettingError`` ``out_of_range``."""
    def clone(self) -> Network: ...

class Articulation:
    """Gives envelopes back what the mean of all likely answers lacks: the speaker's articulation."""

    def __init__(self) -> None: ...
    def process(self, own: Frames, envelopes: Frames, /) -> Frames:
        """The speaker's log amplitudes ``[n, 80]`` and the network's ``[n, 160]``, of the same
        moments, to ``[n, 160]``."""
    def reset(self) -> None: ...
    def clone(self) -> Articulation: ...

class Envelopes:
    """Natural speech as frames for ``Vocoder``: F0, and envelopes of harmonics and noise."""

    def __init__(self) -> None: ...
    def process(self, rows: Frames, /) -> Frames:
        """Rows ``[n, 241]``: a hop at 24 kHz, and the F0 that ``F0Tracker`` answers for it; frames ``[n, 161]``."""
    def reset(self) -> None: ...
    def clone(self) -> Envelopes: ...
    lookahead: int
    width: int

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
    def set_delivery(self, delivery: Delivery) -> None:
        """Moves pitch and level otherwise than the speaker, over 200 ms from the next hop on."""
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

    Flat to 0.9 of the lower Nyquist frequency, 105 dB down from 1.1 of it.

    Streaming
    ---------
    ``n`` samples in give ``ceil(n * output_rate / input_rate)`` out, ``flush`` gives the last
    ``latency``: 25 samples of the slower stream, 1.04 ms between 48 and 24 kHz.
    """

    def __init__(self, input_rate: int, output_rate: int) -> None: ...
    @staticmethod
    def minimum_phase(input_rate: int, output_rate: int) -> Resampler:
        """As soon as may be: 2.36 samples of the slower stream, 0.1 ms between 48 and 24 kHz, to the
        nearest sample. That is for low tones; what is at 0.8 of Nyquist comes 0.1 ms later. 91 dB down.
        """
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

class Drift:
    """From one clock to another, which may be faster by up to 500 ppm either way, and move.

    Streaming
    ---------
    25 samples late. How many come out depends on the clocks: ``output_len`` says it before. Steps
    change by 0.2 ppm a sample, so that nothing clicks; the samples do not depend on how the stream
    is cut. After ``flush`` and ``reset`` the clocks agree, and go to what is wanted again.
    """

    def __init__(self) -> None: ...
    def set_ppm(self, ppm: float, /) -> None:
        """By how much the output's clock is faster; over at most 0.1 s at 48 kHz."""
    @property
    def ppm(self) -> float:
        """By how much it is taken to be faster now."""
    def output_len(self, input_len: int, /) -> int: ...
    def process(self, block: Samples, /) -> Samples: ...
    def flush(self) -> Samples: ...
    def reset(self) -> None: ...
    def clone(self) -> Drift: ...
    @property
    def latency(self) -> int: ...

class Loudness:
    """Level of each hop in dBFS ``[frames, 1]``; a full-scale sine gives -3.01, silence -120."""

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames: ...
    def reset(self) -> None: ...
    def clone(self) -> Loudness: ...
    @property
    def width(self) -> int: ...
    @property
    def hop(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def lookahead(self) -> int: ...

class Meter:
    """Loudness of ITU-R BS.1770 of one channel, per hop of 10 ms at the stream's own rate.

    Frames ``[frames, 3]``: momentary (400 ms) and short-term (3 s) in LUFS, true peak of the hop in dBTP;
    silence is -120. The true peak trails by 8 samples.
    """

    def __init__(self, sample_rate: int, /) -> None:
        """``sample_rate`` 8,000 to 192,000 Hz."""
    def process(self, block: Samples, /) -> Frames: ...
    def reset(self) -> None: ...
    def clone(self) -> Meter: ...
    @property
    def width(self) -> int: ...
    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
    @property
    def window(self) -> int: ...
    @property
    def lookahead(self) -> int: ...

class Leveller:
    """Brings speech of any level to ``target_db``: quickly in its first 1.5 s, then by 6 dB a second at
    most, towards the mean of some 10 s. While nobody speaks the gain stays as it is.

    Louder than full scale may come out: a ``Limiter`` follows.
    """

    def __init__(self, sample_rate: int, target_db: float, /) -> None:
        """``target_db`` -40 to -10: in dBFS, of the loud parts of speech."""
    def set_speech(self, speech: bool, /) -> None:
        """Whether somebody speaks in what follows, as a ``Vad`` beside it says; it begins with nobody."""
    @property
    def gain_db(self) -> float:
        """That the hop at hand ends with."""
    def process(self, block: Samples, /) -> Samples: ...
    def flush(self) -> Samples: ...
    def reset(self) -> None: ...
    def clone(self) -> Leveller: ...
    @property
    def latency(self) -> int: ...
    @property
    def input_rate(self) -> int: ...
    @property
    def output_rate(self) -> int: ...

class Limiter:
    """The wave never above ``ceiling_db`` (-60 to 0 dBFS), between the samples too; unchanged below it,
    1.5 ms later."""

    def __init__(self, sample_rate: int, ceiling_db: float, /) -> None: ...
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
    """Falls silent when told to, and opens again, without a click; begins open, writes zeros when closed."""

    def __init__(self, sample_rate: int, /) -> None: ...
    def close(self, release_ms: float, /) -> None:
        """From the next sample on, falls silent within 10 to 80 ms."""
    def resume(self, wait: int, /) -> None:
        """Opens ``wait`` samples on, in 10 ms: as many as the stages before still hold of what is not
        to be heard."""
    @property
    def open(self) -> bool:
        """Whether it is open, opening or to open."""
    @property
    def silent(self) -> bool:
        """Whether it lets nothing through."""
    @property
    def idle(self) -> bool:
        """Whether all goes through as it is."""
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

class Shifter:
    """Moves F0 while the formants stay, and formants while F0 stays: samples at one rate, 16 to 96 kHz.

    ``latency`` is 15 ms at every setting. Without a shift the samples come out as they went in.
    """

    def __init__(self, sample_rate: int) -> None: ...
    def set_shift(self, f0_semitones: float, tract_octaves: float) -> None:
        """Reached in 200 ms; 12 semitones and half an octave each way. A longer tract has lower formants."""
    def process(self, block: Samples, /) -> Samples: ...
    def flush(self) -> Samples: ...
    def reset(self) -> None: ...
    def clone(self) -> Shifter: ...
    @property
    def latency(self) -> int: ...
    @property
    def input_rate(self) -> int: ...
    @property
    def output_rate(self) -> int: ...

class F0Tracker:
    """F0 in Hz (0 unvoiced), strength of voicing, voiced or not, level in dBFS; 55 to 700 Hz."""

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 4]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> F0Tracker: ...
    width: int
    hop: int
    window: int
    lookahead: int

class F0Tracks:
    """F0 told twice: 11 ms late, and 57 ms late with what came after; 55 to 900 Hz.

    Of each F0 in Hz (0 unvoiced), confidence, and voiced or not. Of the frames with confidence p, a share p is
    right: in whether there is voice and, if so, in F0 to within half a semitone.
    """

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 6]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> F0Tracks: ...
    width: int
    hop: int
    window: int
    lookahead: int
    @property
    def late_lookahead(self) -> int:
        """Samples past the moment of the last three numbers; ``lookahead`` is that of the first three."""

class F0Evidence:
    """What `F0Tracks` goes by: two correlations at each of 98 pitches, 124 partials, 12 levels."""

    def __init__(self) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 332]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> F0Evidence: ...
    width: int
    hop: int
    window: int
    lookahead: int

class Vad:
    """Whether someone speaks, every 10 ms: probability, speech, onset.

    Speech begins after 30 ms of more than 0.6 and ends after 200 ms of less than 0.35. Onset is 1 whenever
    speech is, and from the first frame on that someone may have begun; where nobody had, it is 0 again
    within 60 ms. Duck at an onset, stop at speech.

    Parameters
    ----------
    sample_rate : int
        Of the sound, in Hz, 8,000 to 192,000.
    """

    def __init__(self, sample_rate: int = ...) -> None: ...
    def process(self, block: Samples, /) -> Frames:
        """Frames ``[frames, 3]`` completed by this block."""
    def reset(self) -> None: ...
    def clone(self) -> Vad: ...
    width: int
    hop: int
    window: int
    lookahead: int
