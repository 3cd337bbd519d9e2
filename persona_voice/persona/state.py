"""How a persona is now, as against her birth: a value."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Manner:
    """How she speaks, as against her birth, where all are 0.

    Only differences are kept, in units in which equal steps are heard as about equal: they add up.
    """

    register_semitones: float = 0.0
    range_octaves: float = 0.0
    """Of the factor on her F0's deviations: log2."""
    rate_octaves: float = 0.0
    """Of the factor on how fast she speaks: log2."""
    level_db: float = 0.0
    breath_db: float = 0.0
    """Of the noise in her voiced sounds."""
    tilt_db: float = 0.0
    """Per octave, about 500 Hz."""


@dataclass(frozen=True, slots=True)
class PersonaState:
    """How she is at the end of day `day` (days since 1970, UTC)."""

    persona: str
    seed: int
    born_day: int
    day: int
    name: str
    manner: Manner = field(default_factory=Manner)
