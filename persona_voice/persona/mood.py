"""Moods: how what she feels changes how she speaks, for a while."""

from dataclasses import fields
from math import log2

from persona_voice.errors import SettingError
from persona_voice.persona.limits import within_turn
from persona_voice.persona.state import Manner


def _mood(
    register_semitones: float,
    range_factor: float,
    rate_factor: float,
    level_db: float,
    breath_db: float,
    tilt_db: float,
) -> Manner:
    return Manner(
        register_semitones, log2(range_factor), log2(rate_factor), level_db, breath_db, tilt_db
    )


# In full. Signs: Juslin & Laukka (2003), table 11, and for the positive ones Kamiloglu et al. (2020):
# joy and anger raise register, range, level and the high frequencies, sadness and tenderness lower
# them and let more breath through, fear raises the register and narrows the range. Sizes: tens of
# cents, as in DAVID (Rachman et al. 2018), not the semitones of the rules made for diphones
# (Schroeder 2006); a listener notices from about 2 semitones, 3 dB of breath, 5 % of rate.
#                     register  range  rate  level  breath  tilt
MOODS = {
    "neutral": _mood(+0.0, 1.00, 1.00, +0.0, +0.0, +0.0),
    "excited": _mood(+1.3, 1.35, 1.08, +2.5, -1.0, +0.8),
    "happy": _mood(+0.8, 1.25, 1.05, +1.5, -0.5, +0.5),
    "playful": _mood(+0.7, 1.30, 1.03, +0.5, +0.5, +0.3),
    "curious": _mood(+0.5, 1.15, 1.00, +0.0, +0.0, +0.1),
    "surprised": _mood(+1.2, 1.35, 1.02, +1.0, +0.0, +0.4),
    "hopeful": _mood(+0.4, 1.10, 1.00, +0.3, +0.5, +0.1),
    "empathetic": _mood(-0.6, 0.85, 0.95, -1.5, +1.5, -0.5),
    "sad": _mood(-1.1, 0.72, 0.93, -2.5, +2.0, -0.8),
    "angry": _mood(+0.8, 1.30, 1.06, +3.0, -2.0, +1.0),
    "anxious": _mood(+1.1, 0.80, 1.07, -0.5, +1.0, -0.8),
    "calm": _mood(-0.4, 0.90, 0.96, -1.0, +1.0, -0.4),
}

# What valence and arousal of 1 each do; register, rate and level go with arousal above all
# (Schroeder 2006, whose listeners heard arousal as it was meant, and valence much less).
AROUSED = _mood(+1.0, 1.25, 1.08, +2.4, -1.5, +0.8)
PLEASED = _mood(+0.3, 1.10, 1.02, +0.2, +0.3, +0.1)


def mood(name: str, strength: float = 1.0) -> Manner:
    """The manner of a named mood, 0 to 1 of it.

    Raises
    ------
    SettingError
        ``unknown_mood``, ``out_of_range``.
    """
    if name not in MOODS:
        raise SettingError(
            f"mood must be one of {', '.join(MOODS)}, got {name!r}", code="unknown_mood"
        )
    return times(MOODS[name], _within("strength", strength, 0.0))


def affect(valence: float, arousal: float) -> Manner:
    """The manner of a feeling from unpleasant to pleasant and from still to stirred, -1 to 1 each.

    Raises
    ------
    SettingError
        ``out_of_range``.
    """
    pleased = times(PLEASED, _within("valence", valence, -1.0))
    aroused = times(AROUSED, _within("arousal", arousal, -1.0))
    return within_turn(plus(pleased, aroused))


def plus(one: Manner, other: Manner) -> Manner:
    """Both at once."""
    return Manner(*(getattr(one, f.name) + getattr(other, f.name) for f in fields(Manner)))


def times(manner: Manner, part: float) -> Manner:
    return Manner(*(part * getattr(manner, f.name) for f in fields(Manner)))


def _within(what: str, value: float, least: float) -> float:
    if not least <= value <= 1:
        raise SettingError(f"{what} must lie in {least:g}..=1, got {value}", code="out_of_range")
    return value
