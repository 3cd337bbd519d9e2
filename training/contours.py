"""Speech whose F0 is known exactly, and noise to hide it in.

A recording is taken apart by WORLD and put together again with a contour that is then the truth. It is
voiced only where Harvest and DIO, two trackers that work unlike, agree, where it is loud enough to be
heard, and where WORLD finds more than noise.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

RATE = 24_000
FRAME_MS = 5
MIN_HZ, MAX_HZ = 55.0, 900.0
# The two trackers agree within so many octaves: a semitone.
AGREED_OCTAVES = 1 / 12
# Frames that are further below the loud ones (95th percentile) are not taken as voiced.
FAINT_DB = 38.0
# Shorter stretches of voice, in frames, are chance; in shorter gaps Harvest alone is believed.
SHORTEST = 6
GAP = 8
# WORLD interpolates a contour to 0 where voicing ends; frames this short keep that under a sample's worth.
SYNTHESIS_MS = 1
KINDS = ("pink", "white", "brown")


@dataclass(frozen=True)
class Known:
    """Sound at `RATE` and its F0 in Hz every `FRAME_MS`, from time 0 on: 0 unvoiced, NaN not known."""

    name: str
    samples: Samples
    f0_hz: Floats


def agreed(samples: Samples, faint_db: float) -> tuple[Floats, Floats]:
    """F0 by Harvest and by DIO, where they agree; and Harvest's alone."""
    import pyworld

    x = samples.astype(np.float64)
    asked = {"f0_floor": MIN_HZ, "f0_ceil": MAX_HZ, "frame_period": float(FRAME_MS)}
    one, times = pyworld.harvest(x, RATE, **asked)
    other, _ = pyworld.dio(x, RATE, **asked)
    other = pyworld.stonemask(x, other, times, RATE)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.abs(np.log2(one / other)) < AGREED_OCTAVES
    both = (one > 0) & (other > 0) & near & (levels_db(samples, len(one)) > -faint_db)
    both |= (one > 0) & ~long_runs(~both, GAP)
    return np.where(long_runs(both, SHORTEST), one, 0.0), one


def levels_db(samples: Samples, frames: int) -> Floats:
    """Of 20 ms about each frame, against the loud ones."""
    power = np.convolve(samples.astype(np.float64) ** 2, np.ones(RATE // 50) / (RATE // 50), "same")
    at = np.minimum(np.arange(frames) * RATE * FRAME_MS // 1000, len(samples) - 1)
    level_db: Floats = 10 * np.log10(np.maximum(power[at], 1e-12))
    return level_db - np.percentile(level_db, 95)


def long_runs(yes: npt.NDArray[np.bool_], shortest: int) -> npt.NDArray[np.bool_]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], yes.view(np.int8), [0]])))
    kept = np.zeros_like(yes)
    for begin, end in edges.reshape(-1, 2):
        kept[begin:end] = end - begin >= shortest
    return kept


def resynthesised(
    name: str, samples: Samples, semitones: float = 0.0, faint_db: float = FAINT_DB
) -> tuple[Known, Known]:
    """The recording with a contour that is exactly known, moved by so many semitones; and as it is,
    with what is agreed on and NaN where the trackers part."""
    import pyworld

    x = samples.astype(np.float64)
    f0, alone = agreed(samples, faint_db)
    times = np.arange(len(f0)) * FRAME_MS / 1000
    envelope = pyworld.cheaptrick(x, f0, times, RATE)
    noise = pyworld.d4c(x, f0, times, RATE)
    f0[noise[:, 1:20].mean(axis=1) > 0.99] = 0.0
    # Where DIO is silent and it is faint, or Harvest is silent too, there is no voice.
    quiet = levels_db(samples, len(f0)) < -faint_db
    natural = np.where(f0 > 0, f0, np.where(quiet | (alone == 0), 0.0, np.nan))
    moved = f0 * 2 ** (semitones / 12)
    moved[(moved < MIN_HZ) | (moved > MAX_HZ)] = 0.0
    at = np.arange(len(f0) * FRAME_MS // SYNTHESIS_MS) * SYNTHESIS_MS / 1000
    frame = np.minimum(np.rint(at * 1000 / FRAME_MS).astype(int), len(f0) - 1)
    y = pyworld.synthesize(
        contour_at(moved, at), envelope[frame], noise[frame], RATE, float(SYNTHESIS_MS)
    )
    made = np.resize(y, len(x)).astype(np.float32)
    made[len(y) :] = 0.0
    return Known(name, made, moved), Known(name, samples, natural)


def contour_at(f0_hz: Floats, seconds: Floats) -> Floats:
    """The contour in between its frames, straight lines over log F0; voicing is the nearest frame's."""
    place = seconds * 1000 / FRAME_MS
    nearest = np.clip(np.rint(place).astype(int), 0, len(f0_hz) - 1)
    before = np.clip(np.floor(place).astype(int), 0, len(f0_hz) - 1)
    after = np.minimum(before + 1, len(f0_hz) - 1)
    here = f0_hz[nearest]
    a, b = (np.where(f0_hz[n] > 0, f0_hz[n], here) for n in (before, after))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.exp(np.log(a) + (np.log(b) - np.log(a)) * (place - before))
    return np.where(here > 0, between, here)


def noise(kind: str, count: int, rng: np.random.Generator) -> Floats:
    """Of unit power: power per Hz falls as 1 (white), 1/f (pink) or 1/f² (brown), from 30 Hz on."""
    slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / RATE)
    spectrum *= np.where(hz > 30, np.maximum(hz, 30), np.inf) ** -slope if slope else 1.0
    x = np.fft.irfft(spectrum, count)
    return np.asarray(x / np.sqrt(np.mean(x**2)))


def in_noise(samples: Samples, other: Floats, snr_db: float) -> Samples:
    """With `other` so far below the power of what is spoken: the stretches that are not faint."""
    level_db = levels_db(samples, len(samples) * 1000 // (RATE * FRAME_MS))
    spoken = np.repeat(level_db > -30.0, RATE * FRAME_MS // 1000)
    power = np.mean(samples[: len(spoken)][spoken].astype(np.float64) ** 2)
    gain = np.sqrt(power / np.mean(other**2)) * 10 ** (-snr_db / 20)
    return (samples + gain * other[: len(samples)]).astype(np.float32)
