"""What happened to a persona: an entry of her ledger."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What kind of thing happened, and which `values` tell of it."""

    BORN = "born"
    """The first event: ``seed``."""
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
    """Other ``weights`` speak for her."""
    RETURNED = "returned"
    """She is again as on the day ``day``."""


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
    """Who talked with her; empty where nobody did."""
    values: tuple[tuple[str, float | str], ...] = ()
    """By name, in order of name."""
