"""The Rust core: streaming stages and analyzers at audio rate.

Every class is one stream. ``process`` takes any block length, zero too; a block is a contiguous
``float32`` array ``[samples]``, anything else is a ``SettingError`` with code ``wrong_array``. The
interpreter lock is released while a block is worked on. ``clone`` is the snapshot.
"""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float32]

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
        """Frames ``[n, 3]`` of ``F0Tracker`` to F0 in Hz, ``[n]``."""
    def reset(self) -> None: ...
    def clone(self) -> Prosody: ...

class Vocoder:
    """Frames of F0 and two envelopes to sound, 240 samples a frame."""

    def __init__(self, seed: int) -> None: ...
    def process(self, frames: Frames, /) -> Samples:
        """Frames ``[n, 161]``: F0 in Hz (0: none), 80 + 80 log amplitudes; ``[n * 240]``."""
    def reset(self) -> None: ...
    def clone(self) -> Vocoder: ...
    width: int
