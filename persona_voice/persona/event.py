"""What happened to a persona: an entry of her ledger."""

import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard
from uuid import uuid4

from persona_voice.errors import PersonaFileError
from persona_voice.persona.state import MANNER
from persona_voice.persona.voice import DESIGN, VOICE


class Kind(StrEnum):
    """What kind of thing happened, and which `values` tell of it."""

    BORN = "born"
    """The first event: ``seed``."""
    DESIGNED = "designed"
    """Her voice at birth, which nothing changes: a `Voice`, from that of the persona ``base`` of this
    installation."""
    NAMED = "named"
    """``name``."""
    CONVERSATION = "conversation"
    """One ended: ``seconds`` that she spoke; her mean ``valence`` and ``arousal`` in it, -1 to 1."""
    FEEDBACK = "feedback"
    """A listener liked (``liked`` 1) or disliked (-1) how she spoke: the manner she then had, a value
    for each of its fields."""
    FORGOTTEN = "forgotten"
    """A listener asked for it: what they said before counts no more."""
    UPGRADED = "upgraded"
    """Other ``weights`` speak for her, with this `Voice`, which sounds as she did with those before."""
    ADOPTED = "adopted"
    """From now on she speaks as she had grown by the end of the day ``day``: in that manner, heard to be
    herself with ``similarity`` to birth."""
    REFUSED = "refused"
    """As she had grown she was not heard to be herself, with ``similarity`` to birth: as `RETURNED` to
    the day ``day``."""
    RETURNED = "returned"
    """She is again as at the end of the day ``day``, and grows on from there: what was heard since
    counts no more."""


# The names of the values of each kind, in order; those that are text, not numbers.
VALUES: dict[Kind, tuple[str, ...]] = {
    Kind.BORN: ("seed",),
    Kind.DESIGNED: tuple(sorted((*VOICE, "base"))),
    Kind.NAMED: ("name",),
    Kind.CONVERSATION: ("arousal", "seconds", "valence"),
    Kind.FEEDBACK: tuple(sorted((*MANNER, "liked"))),
    Kind.FORGOTTEN: (),
    Kind.UPGRADED: tuple(sorted((*VOICE, "weights"))),
    Kind.ADOPTED: tuple(sorted((*MANNER, "day", "similarity"))),
    Kind.REFUSED: ("day", "similarity"),
    Kind.RETURNED: ("day",),
}
# 30,000 years: an event of another age is a clock gone wrong.
LONGEST_S = 1e12
TEXTS = {"base", "name", "weights"}
WHOLE = {"seed", "day"}
# Whose values are a `Voice`.
OF_A_VOICE = {Kind.DESIGNED, Kind.UPGRADED}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as it is kept for good; equal ids are the same event."""

    id: str
    """Given by whoever saw it happen, unique for ever."""
    persona: str
    at_s: float
    """When, in seconds since 1970, by the clock of whoever saw it."""
    kind: Kind
    listener: str = ""
    """Who talked with her; empty where nobody did, or where it is not known who: all these are one."""
    values: tuple[tuple[str, float | str], ...] = ()
    """By name, in order of name."""


def check(event: Event) -> None:
    """Every door to a ledger calls it, so that nothing gets in that cannot be folded.

    Raises
    ------
    PersonaFileError
        ``bad_event``
    """
    if not isinstance(event.kind, Kind):
        message = f"event {event.id} must be of a kind among {', '.join(Kind)}, got {event.kind!r}"
        raise PersonaFileError(message, code="bad_event", id=event.id)
    if not _is_number(event.at_s) or abs(event.at_s) > LONGEST_S:
        message = (
            f"event {event.id}: at_s must lie within {LONGEST_S:.0f} s of 1970, got {event.at_s!r}"
        )
        raise PersonaFileError(message, code="bad_event", id=event.id)
    names, got = VALUES[event.kind], tuple(name for name, _ in event.values)
    if got != names:
        message = (
            f"event {event.id} ({event.kind}) must hold exactly, in this order: "
            f"{', '.join(names) or 'nothing'}; got {', '.join(map(str, got)) or 'nothing'}"
        )
        raise PersonaFileError(message, code="bad_event", id=event.id)
    for name, value in event.values:
        if not _fits(event.kind, name, value):
            message = (
                f"event {event.id} ({event.kind}): {name} must be {_rule(event.kind, name)}, "
                f"got {value!r}"
            )
            raise PersonaFileError(message, code="bad_event", id=event.id)


def _fits(kind: Kind, name: str, value: object) -> bool:
    if name in TEXTS:
        return isinstance(value, str)
    if not _is_number(value):
        return False
    if kind in OF_A_VOICE:
        return abs(value) <= DESIGN[name]
    return value in (-1, 1) if name == "liked" else name not in WHOLE or value == int(value)


def _rule(kind: Kind, name: str) -> str:
    if kind in OF_A_VOICE and name in DESIGN:
        return f"within {DESIGN[name]:g} of 0"
    if name in TEXTS:
        return "text"
    if name == "liked":
        return "1 or -1"
    return "a whole number" if name in WHOLE else "a finite number"


def _is_number(value: object) -> TypeGuard[int | float]:
    """Finite, too; no integer beyond what a float holds."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def happened(
    kind: Kind, persona: str, at_s: float, listener: str = "", **values: float | str
) -> Event:
    """An event with an id that no other has.

    Raises
    ------
    PersonaFileError
        ``bad_event``
    """
    event = Event(uuid4().hex, persona, at_s, kind, listener, tuple(sorted(values.items())))
    check(event)
    return event
