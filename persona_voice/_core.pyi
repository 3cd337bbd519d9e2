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
