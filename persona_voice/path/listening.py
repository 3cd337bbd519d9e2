"""How a listener speaks, from their audio alone: four numbers a turn, and nothing else is kept."""

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.path.stream import HOPS_PER_S, Samples, checked_block
from persona_voice.persona.entrain import Turn

Floats = npt.NDArray[np.float64]

# A turn is heard up to so long: what comes after says nothing new, and memory stays bounded.
LONGEST_S = 120.0
# Frames this sure of their F0 count, and so many are needed, half a second, for its mean; for its spread
# and for the rate, so much speech.
SURE, FEWEST_F0 = 0.7, 50
ENOUGH_S = 2.0
# Spread of F0 as the 20th to the 80th percentile, in octaves, and syllables a second, of her at birth:
# medians over her six reference recordings, measured by `Listener` itself (tests/path/test_listening.py).
SPREAD_AT_BIRTH, SYLLABLES_AT_BIRTH = 0.356, 3.51
# Syllable nuclei (de Jong & Wempe 2009): peaks of the intensity, 2 dB above what lies on either side,
# voiced, and no more than 25 dB below the loudest; intensity over 60 ms.
DIP_DB, BELOW_LOUDEST_DB, SMOOTH_HOPS = 2.0, 25.0, 6
PERCENTILES = (20, 80)


class Listener:
    """Hears somebody's microphone, and says after each turn how they spoke. Not to be shared between
    threads.

    Parameters
    ----------
    sample_rate : int
        Of the microphone, in Hz, 8,000 to 192,000.

    Raises
    ------
    SettingError
        ``out_of_range`` for the sample rate.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler = _core.Resampler(sample_rate, _core.RATE)
        self._f0, self._vad = _core.F0Tracker(), _core.Vad()
        self._loudness = _core.Loudness()
        self._forget()

    def hear(self, block: Samples) -> None:
        """Float32 mono ``[samples]``, any length. What is not finite counts as silence.

        Raises
        ------
        StreamError
            ``wrong_array`` for anything but one dimension of float32.
        """
        finite = np.nan_to_num(checked_block(block), nan=0.0, posinf=0.0, neginf=0.0)
        inside = self._resampler.process(finite)
        f0, vad = self._f0.process(inside), self._vad.process(inside)
        level = self._loudness.process(inside)
        if len(f0) == 0 or self._num_hops >= LONGEST_S * HOPS_PER_S:
            return
        self._num_hops += len(f0)
        self._heard.append(np.hstack([f0[:, :3], level, vad[:, 1:2]]))

    def _forget(self) -> None:
        # Of each hop: F0 in Hz, strength of voicing, voiced or not, level in dB, speech or not.
        self._heard: list[Samples] = []
        self._num_hops = 0

    def end_turn(self) -> Turn | None:
        """How they spoke since the last turn; None where nobody did. All that was heard is forgotten."""
        heard = np.vstack([np.zeros((0, 5)), *self._heard])[: round(LONGEST_S * HOPS_PER_S)]
        self._forget()
        # A frame of F0 tells of an earlier moment than the level that came with it.
        num_hops = max(len(heard) - self._f0.lookahead // _core.HOP, 0)
        hz, sure, voiced = heard[len(heard) - num_hops :, :3].T
        level_db, speech = heard[:num_hops, 3], heard[:num_hops, 4] > 0.5
        octaves = np.log2(np.where(voiced > 0.5, hz, np.nan))
        seconds = float(speech.sum()) / HOPS_PER_S
        if seconds == 0:
            return None
        pitched = octaves[speech & np.isfinite(octaves) & (sure >= SURE)]
        return Turn(
            seconds,
            register_semitones=_register(pitched),
            range_octaves=_range(pitched, seconds),
            rate_octaves=_rate(octaves, level_db, speech, seconds),
            level_db=float(10 * np.log10(np.mean(10 ** (level_db[speech] / 10)))),
        )


def _register(octaves: Floats) -> float | None:
    """Median F0 in semitones over 1 Hz: robust against an octave's slips."""
    return None if len(octaves) < FEWEST_F0 else float(12 * np.median(octaves))


def _range(octaves: Floats, seconds: float) -> float | None:
    if len(octaves) < FEWEST_F0 or seconds < ENOUGH_S:
        return None
    low, high = np.percentile(octaves, PERCENTILES)
    return float(np.log2(max(high - low, 1e-3) / SPREAD_AT_BIRTH))


def _rate(
    octaves: Floats, level_db: Floats, speech: npt.NDArray[np.bool_], seconds: float
) -> float | None:
    """None, too, where nothing is voiced: a whisper has no nuclei that this can find."""
    if seconds < ENOUGH_S:
        return None
    count = len(nuclei(octaves, level_db, speech))
    return float(np.log2(count / seconds / SYLLABLES_AT_BIRTH)) if count else None


def nuclei(octaves: Floats, level_db: Floats, speech: npt.NDArray[np.bool_]) -> list[int]:
    """Hops at which a syllable is loudest."""
    power = np.convolve(10 ** (level_db / 10), np.ones(SMOOTH_HOPS) / SMOOTH_HOPS, "same")
    loud = 10 * np.log10(power + 1e-12)
    found: list[int] = []
    peak, dip, rising = 0, -np.inf, True
    lowest = float(loud[speech].max()) - BELOW_LOUDEST_DB
    for at, value in enumerate(loud):
        if rising and value > loud[peak]:
            peak = at
        if rising and value < loud[peak] - DIP_DB:
            if loud[peak] > lowest and speech[peak] and np.isfinite(octaves[peak]):
                found.append(peak)
            rising, dip = False, value
        elif not rising:
            dip = min(dip, value)
            if value > dip + DIP_DB:
                rising, peak = True, at
    return found
