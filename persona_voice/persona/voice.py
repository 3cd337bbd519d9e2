"""Her voice at birth: a point among the voices that one converter can speak in."""

import math
from dataclasses import asdict, dataclass, fields

from persona_voice.errors import SettingError


@dataclass(frozen=True, slots=True)
class Voice:
    """How she differs from the voice of the weights, which all 0 is.

    The space is a box about it, `DESIGN`; within it whatever speaks stays clear speech. Equal steps
    are heard as about equal, and voices between two are the straight line between them.

    Raises
    ------
    SettingError
        ``out_of_range``.
    """

    register_semitones: float = 0.0
    """Of her mean F0."""
    tract_octaves: float = 0.0
    """Of the length of her vocal tract: log2. A longer one has lower formants."""
    breath_db: float = 0.0
    """Of the noise in her voiced sounds."""
    tilt_db: float = 0.0
    """Per octave, about 500 Hz: below 0 darker, above brighter."""

    def __post_init__(self) -> None:
        for name, most in DESIGN.items():
            value = getattr(self, name)
            if not -most <= value <= most:  # also where it is no number
                message = f"a voice's {name} must lie in {-most:g}..={most:g}, got {value}"
                raise SettingError(message, code="out_of_range", value=value)


# How far a voice may be designed from that of the weights. Mean F0 of women's voices spans about so
# much (Baken & Orlikoff 2000), their vocal tracts ±10 % (Fitch & Giedd 1999).
DESIGN = {
    "register_semitones": 5.0,
    "tract_octaves": round(math.log2(1.1), 3),
    "breath_db": 6.0,
    "tilt_db": 1.5,
}
VOICE = tuple(each.name for each in fields(Voice))


def between(one: Voice, other: Voice, part: float) -> Voice:
    """On the way from `one`, 0, to `other`, 1."""
    a, b = asdict(one), asdict(other)
    return Voice(**{name: a[name] + part * (b[name] - a[name]) for name in VOICE})


def apart(one: Voice, other: Voice) -> float:
    """How far two are apart: the length of the way, in half sides of the box `DESIGN`."""
    a, b = asdict(one), asdict(other)
    return math.hypot(*((a[name] - b[name]) / most for name, most in DESIGN.items()))
