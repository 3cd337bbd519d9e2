"""What the path wants from any voice converter; and `Identity`, which changes nothing."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]
State = Any  # opaque to the path: made by start, handed in, handed out, never changed in place

BANDS = 80
# Natural logarithm of an amplitude that nobody hears: the envelope of silence.
SILENT = -16.0


class Converter(Protocol):
    """Log-mel frames of a speaker in, envelopes of a voice out; the memory is handed in and out."""

    @property
    def lookahead(self) -> int:
        """Samples at 24 kHz from the moment an envelope stands for to the end of its frame's hop."""

    def start(self) -> State:
        """The memory of a stream that has heard nothing."""

    def step(self, state: State, frames: Frames) -> tuple[State, Frames]:
        """``[n, 80]`` log-mel to ``[n, 160]`` log amplitudes: 80 of harmonics, 80 of noise."""


class Identity:
    """The speaker's own envelope back: for tests of the path, without torch and without weights."""

    lookahead = 720
    # A log-mel frame stands for 384 samples before its end, so that 720 lies between the last
    # frame but one (624) and the one before (864).
    _NEWER = np.float32(0.6)

    # A flat spectrum of unit power gives each bin of the analysis this power (Hann of 768).
    _POWER_OF_NOISE = 4 * 1.5 / 768

    def start(self) -> Frames:
        return np.full((2, BANDS), np.log(1e-10), np.float32)

    def step(self, state: Frames, frames: Frames) -> tuple[Frames, Frames]:
        earlier = np.concatenate([state, frames])
        mel = self._NEWER * earlier[1:-1] + (1 - self._NEWER) * earlier[:-2]
        log_amplitude = (mel - np.float32(np.log(self._POWER_OF_NOISE))) / 2
        silent = np.full_like(log_amplitude, SILENT)
        return earlier[-2:], np.hstack([log_amplitude, silent])
