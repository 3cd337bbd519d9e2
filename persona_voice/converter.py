"""What the path wants from any voice converter; and `Identity`, which changes nothing."""

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]
State = Any  # opaque to the path: made by start, handed in, handed out, never changed in place

BANDS = 80
# Little look-ahead for live use, or more for what need not be live.
MODES = ("live", "studio")
# A flat spectrum of unit power has this log power in a bin of the log-mel analysis (Hann of 768).
LOG_POWER_OF_NOISE = math.log(4 * 1.5 / 768)
# A log-mel frame stands for the middle of its window, 1.6 hops before the end of its hop: what a
# moment whole hops before the end of the newest frame was like lies between two frames.
NEWER_SHARE = 0.6
# Natural logarithm of an amplitude that nobody hears: the envelope of silence.
SILENT = -16.0
# Log-mel of digital silence, in every band.
SILENT_MEL = math.log(1e-10)


# Slaney's mel scale, as the core has it: linear up to 1 kHz, 15 mels; then 27 mels for a factor of 6.4.
PER_LOG = 27 / np.log(6.4)


def mel_from_hz(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(hz < 1000, hz * 0.015, 15 + PER_LOG * np.log(np.maximum(hz, 1e-9) / 1000))


def hz_from_mel(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) / PER_LOG))


# The bands lie between 0 and 12 kHz, and so many mels apart.
TOP_MELS = float(mel_from_hz(np.array(12_000.0)))
MELS_A_BAND = TOP_MELS / (BANDS + 1)


def band_centres_hz() -> npt.NDArray[np.float64]:
    """Of the bands of log-mel frames and envelopes, ``[80]``."""
    return hz_from_mel(np.arange(1, BANDS + 1) * TOP_MELS / (BANDS + 1))


class Converter(Protocol):
    """Log-mel frames of a speaker in, envelopes of a voice out; the memory is handed in and out."""

    @property
    def lookahead(self) -> int:
        """Samples at 24 kHz from the moment an envelope stands for to the end of its frame's hop."""

    def start(self) -> State:
        """The memory of a stream that has heard nothing.

        Where this is a `persona_voice._core.Network`, the path lets the core step it, and does not
        call `step`.
        """

    def step(self, state: State, frames: Frames) -> tuple[State, Frames]:
        """``[n, 80]`` log-mel to ``[n, 160]`` log amplitudes: 80 of harmonics, 80 of noise."""


class Identity:
    """The speaker's own envelope back: for tests of the path, without torch and without weights."""

    # Between the middles of the last frame but one, 624 before its end, and of the one before, 864.
    lookahead = 720

    def start(self) -> Frames:
        return np.full((2, BANDS), SILENT_MEL, np.float32)

    def step(self, state: Frames, frames: Frames) -> tuple[Frames, Frames]:
        earlier = np.concatenate([state, frames])
        newer = np.float32(NEWER_SHARE)
        mel = newer * earlier[1:-1] + (1 - newer) * earlier[:-2]
        log_amplitude = (mel - np.float32(LOG_POWER_OF_NOISE)) / 2
        silent = np.full_like(log_amplitude, SILENT)
        return earlier[-2:], np.hstack([log_amplitude, silent])
