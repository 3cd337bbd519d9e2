"""The voice in which another converter sounds as this one did: what an upgrade carries over."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.converter import (
    BANDS,
    MELS_A_BAND,
    SILENT,
    Converter,
    Frames,
    band_centres_hz,
    mel_from_hz,
)
from persona_voice.path.probes import probes
from persona_voice.persona.voice import DESIGN, Voice

Floats = npt.NDArray[np.float64]

# Natural logarithm of the amplitude of a decibel; hertz that the core tilts about.
LN_OF_DB, TILT_ABOUT_HZ = math.log(10) / 20, 500.0
# Bands that are compared: below are hum and rumble, above little but hiss.
LOW, HIGH = 3, 72
# A frame counts down to so many dB below the loudest.
LOUD_DB = 30.0
# Tracts that are tried: so many each way, so many octaves apart (0.35 %: a tenth of what is heard).
TRACTS, TRACT_STEP = 20, 0.005


@dataclass(frozen=True)
class Fit:
    """What `fitted` found."""

    voice: Voice
    before_db: float
    """How far the two are apart on the probes, in the voice as it was: root mean square of the mean
    envelopes' difference over the bands, less the level's."""
    after_db: float
    """And in the fitted one."""


def fitted(old: Converter, voice: Voice, new: Converter) -> Fit:
    """The voice in which `new` speaks the probes most like `old` does in `voice`.

    Compared are the mean envelopes of harmonics and noise over the voiced frames, as they come from
    the network. Register stays: pitch follows the persona, whatever the network. For each of some
    tracts about that of `voice`, tilt and breath follow in closed form, by least squares.
    """
    wanted = _coloured(_means(old), voice)
    have = _means(new)
    tracts = voice.tract_octaves + TRACT_STEP * np.arange(-TRACTS, TRACTS + 1)
    # The voice as it was comes first: of equals it stays.
    near = sorted(tracts, key=lambda tract: abs(tract - voice.tract_octaves))
    most = DESIGN["tract_octaves"]
    tried = [_with_tract(wanted, have, voice, float(t)) for t in near if abs(t) <= most]
    best = min(tried, key=lambda found: _apart_db(wanted, _coloured(have, found)))
    before_db, after_db = (_apart_db(wanted, _coloured(have, of)) for of in (voice, best))
    if after_db >= before_db:
        best, after_db = voice, before_db
    return Fit(best, before_db, after_db)


def _means(converter: Converter) -> Floats:
    """``[2, BANDS]``: mean logarithms of amplitude of harmonics and noise over voiced frames."""
    kept = []
    for probe in probes():
        state = converter.start()
        _, envelopes = converter.step(state, _core.LogMel().process(probe))
        kept.append(_voiced(envelopes))
    return np.asarray(np.concatenate(kept).mean(axis=0).reshape(2, BANDS), np.float64)


def _voiced(envelopes: Frames) -> Frames:
    harmonics, noise = envelopes[:, LOW:HIGH], envelopes[:, BANDS + LOW : BANDS + HIGH]
    level = harmonics.mean(axis=1)
    loud = level > level.max() - LOUD_DB * LN_OF_DB
    kept = loud & (level > noise.mean(axis=1)) & (level > SILENT)
    return np.asarray(envelopes[kept], np.float32)


def _coloured(means: Floats, voice: Voice) -> Floats:
    """What the core's `Manner` makes of these envelopes."""
    moved = np.array([np.interp(_from_band(voice.tract_octaves), _BAND, row) for row in means])
    moved += voice.tilt_db * LN_OF_DB * _OCTAVES
    moved[1] += voice.breath_db * LN_OF_DB
    return moved


def _with_tract(wanted: Floats, have: Floats, voice: Voice, tract_octaves: float) -> Voice:
    """Level, tilt and breath by least squares; level is left to the limiter and the listener."""
    bare = _coloured(have, Voice(tract_octaves=tract_octaves))
    off = (wanted - bare)[:, LOW:HIGH].reshape(-1) / LN_OF_DB
    num = HIGH - LOW
    octaves = np.tile(_OCTAVES[LOW:HIGH], 2)
    breath = np.repeat([0.0, 1.0], num)
    columns = np.column_stack([np.ones(2 * num), octaves, breath])
    _, tilt_db, breath_db = np.linalg.lstsq(columns, off, rcond=None)[0].tolist()
    return replace(
        voice,
        tract_octaves=tract_octaves,
        tilt_db=_within("tilt_db", tilt_db),
        breath_db=_within("breath_db", breath_db),
    )


def _within(name: str, value: float) -> float:
    return max(-DESIGN[name], min(value, DESIGN[name]))


def _apart_db(one: Floats, other: Floats) -> float:
    off = (one - other)[:, LOW:HIGH] / LN_OF_DB
    return float(np.sqrt(np.mean((off - off.mean()) ** 2)))


_BAND = np.arange(BANDS, dtype=np.float64)
_CENTRES_HZ = band_centres_hz()
_OCTAVES = np.log2(_CENTRES_HZ / TILT_ABOUT_HZ)


def _from_band(tract_octaves: float) -> Floats:
    return mel_from_hz(_CENTRES_HZ * 2**tract_octaves) / MELS_A_BAND - 1
