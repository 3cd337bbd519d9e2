"""Entrainment: within a conversation, part of the way toward how the listener speaks.

From their audio alone, in four numbers a turn; kept for each listener in a handful of them.
"""

from dataclasses import dataclass, field, fields, replace
from math import isfinite

from persona_voice.errors import SettingError
from persona_voice.persona.limits import BUDGETS, on_top, within_turn
from persona_voice.persona.mood import plus, times
from persona_voice.persona.state import Manner

# Part of the distance that is covered in the end. People do not copy each other, and effects found
# are small (Levitan & Hirschberg 2011): 0.2 to 0.4 is a presence, not an echo.
PART = 0.3
# After so much speech a mean of F0 is that of the speaker (Arantes & Eriksson 2014): a turn shorter
# than that counts in proportion.
WHOLE_TURN_S = 10.0
# Longest memory of how a listener usually is. An hour: a long evening does not become the usual.
USUAL_S = 3_600.0
# What a stranger hears of a mood, and how much speech takes half of the rest: two hours in all.
TO_STRANGERS, HALF_WAY_S = 0.6, 7_200.0
# What a listener's voice and microphone make incomparable with hers is compared with their own usual:
# she is moved by their mean's shift (Lubold & Pon-Barry 2015), not towards their pitch.
AGAINST_USUAL = ("register_semitones", "level_db")
AGAINST_HERS = ("range_octaves", "rate_octaves")


@dataclass(frozen=True, slots=True)
class Turn:
    """How a listener spoke in a turn; None where it could not be measured.

    Raises
    ------
    SettingError
        ``out_of_range`` if a value is not finite, or `seconds` is below 0.
    """

    seconds: float
    """Of speech."""
    register_semitones: float | None = None
    """Mean F0, above any pitch that stays the same."""
    range_octaves: float | None = None
    """Of the factor on the deviations of her F0 at birth that makes theirs: log2."""
    rate_octaves: float | None = None
    """Of the factor on how fast she speaks at birth: log2."""
    level_db: float | None = None
    """Above any level that stays the same."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not isfinite(value):
                message = f"a turn's {each.name} must be finite, got {value}"
                raise SettingError(message, code="out_of_range", value=value)
        if self.seconds < 0:
            message = f"a turn's seconds must be 0 or more, got {self.seconds}"
            raise SettingError(message, code="out_of_range", value=self.seconds)


@dataclass(frozen=True, slots=True)
class Leaning:
    """What is kept for a listener; nothing else is, and not what was said."""

    lean: Manner = field(default_factory=Manner)
    """To be added to how she has grown. Breath and tilt stay 0."""
    usual_semitones: float = 0.0
    usual_semitones_s: float = 0.0
    """Of speech that the mean is of, at most `USUAL_S`."""
    usual_db: float = 0.0
    usual_db_s: float = 0.0
    talked_s: float = 0.0
    """Of their speech that she has heard in all: how well they know each other."""


def entrain(kept: Leaning, turn: Turn, grown: Manner) -> Leaning:
    """After one more turn of the listener. What could not be measured stays as it was.

    Goes `PART` of the distance in the end, at most one just-noticeable difference a turn, and never
    so far that she would leave the budgets of a turn.
    """
    semitones, semitones_s = _usual(
        kept.usual_semitones, kept.usual_semitones_s, turn.register_semitones, turn.seconds
    )
    db, db_s = _usual(kept.usual_db, kept.usual_db_s, turn.level_db, turn.seconds)
    usual = {"register_semitones": semitones, "level_db": db}
    lean: dict[str, float] = {}
    for name in (*AGAINST_USUAL, *AGAINST_HERS):
        heard, hers = getattr(turn, name), getattr(grown, name)
        now = getattr(kept.lean, name)
        if heard is not None:
            distance = heard - usual.get(name, hers)
            now += _step(name, PART * distance - now, turn.seconds)
        lean[name] = now
    talked_s = kept.talked_s + turn.seconds
    leaning = on_top(grown, replace(kept.lean, **lean))
    return Leaning(leaning, semitones, semitones_s, db, db_s, talked_s)


def acquaintance(kept: Leaning) -> float:
    """How much of what she feels she shows: `TO_STRANGERS` of it at first, nearly all after hours.

    People show more of what they feel the nearer they are to those who hear it (Clark & Finkel 2005).
    Half of what is held back goes with each `HALF_WAY_S` of their speech. Who she is does not widen:
    the budgets of a turn hold for friends, too.
    """
    return float(1 - (1 - TO_STRANGERS) * 2 ** (-kept.talked_s / HALF_WAY_S))


def towards(grown: Manner, kept: Leaning, mood: Manner) -> tuple[Manner, Manner]:
    """How she speaks with a listener, and how a mood then shows: for `set_manner`, and for `express`.

    Together they lie within the budgets of a turn.
    """
    lasting = within_turn(plus(grown, kept.lean))
    return lasting, on_top(lasting, times(mood, acquaintance(kept)))


def _step(name: str, way: float, seconds: float) -> float:
    step = way * min(seconds / WHOLE_TURN_S, 1.0)
    return max(-BUDGETS[name].noticeable, min(step, BUDGETS[name].noticeable))


def _usual(usual: float, of_s: float, heard: float | None, seconds: float) -> tuple[float, float]:
    """Mean by seconds of speech, and of how many seconds it is."""
    if heard is None or seconds == 0:
        return usual, of_s
    usual += (heard - usual) * seconds / (of_s + seconds)
    return usual, min(of_s + seconds, USUAL_S)
