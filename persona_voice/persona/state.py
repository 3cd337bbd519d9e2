"""How a persona is now, as against her birth: a value."""

from dataclasses import dataclass, field, fields

from persona_voice.persona.voice import Voice


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


# As she was born: what all differences count from.
BIRTH = Manner()
MANNER = tuple(each.name for each in fields(Manner))


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one listener has made of her so far; integers, so that sums of them are exact."""

    listener: str
    day: int
    """Last heard."""
    liked: tuple[int, ...]
    """Where they like each value of her manner: of its budget for life, in parts of 2**24."""
    lived: tuple[int, ...]
    """Valence and arousal of their conversations with her, in parts of 2**24."""


@dataclass(frozen=True, slots=True)
class PersonaState:
    """How she is at the end of day `day` (days since 1970, UTC). All that growing on needs."""

    persona: str
    seed: int
    born_day: int
    day: int
    """At birth the day before `born_day`: that one is still to be lived."""
    name: str
    manner: Manner = field(default_factory=Manner)
    """As she has grown."""
    opinions: tuple[Opinion, ...] = ()
    """Of all that were heard within a year, in order of listener."""
    base: str = ""
    """The persona of this installation that she is designed from; empty for herself as she comes."""
    born_voice: Voice = field(default_factory=Voice)
    weights: str = ""
    """That speak for her since an upgrade; empty for those of her base."""
    voice: Voice = field(default_factory=Voice)
    """With these weights: what sounds as `born_voice` did with the first."""
    spoken: Manner = field(default_factory=Manner)
    """As she speaks: the last manner that was heard to be herself."""
    spoken_day: int | None = None
    """Until the end of which day `spoken` had grown; None before the first."""
