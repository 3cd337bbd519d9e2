"""Events and states as text, the way that the store and the `.persona` file keep them."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from persona_voice.errors import PersonaFileError, SettingError, StoreError
from persona_voice.persona.event import Event, Kind, check
from persona_voice.persona.state import Manner, Opinion, PersonaState
from persona_voice.persona.voice import Voice

# The end of the year 9999, as far as calendars go here.
END_S = 253_402_300_800
_KINDS = {kind.value: kind for kind in Kind}
# Made once: a ledger has millions of them.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def checked(event: Event) -> Event:
    """The event as any database gives it back, every number a float.

    Raises
    ------
    StoreError
        ``bad_event`` for one that could not be kept exactly as it is.
    """
    if not event.id or not event.persona:
        raise _bad(event, "must have an id and a persona, got", "none")
    for text in (event.id, event.persona, event.listener):
        _check_text(event, text)
    if event.kind not in _KINDS:
        raise _bad(event, f"must be of a kind among {', '.join(_KINDS)}; got", event.kind)
    if event.kind is Kind.FORGOTTEN and not event.listener:
        raise _bad(event, "must name the listener who is forgotten, got", "none")
    names = [name for name, _ in event.values]
    if names != sorted(set(names)):
        raise _bad(event, "must hold its values in order of name, each once; got", names)
    for name in names:
        _check_text(event, name)
    values = tuple((name, _checked_value(event, value)) for name, value in event.values)
    at_s = _number(event, event.at_s)
    if not 0 <= at_s < END_S:
        raise _bad(event, "must happen from 1970 to 9999, in seconds since 1970; got", at_s)
    kept = Event(event.id, event.persona, at_s, Kind(event.kind), event.listener, values)
    try:
        check(kept)  # what is here for good must be fit to be folded
    except PersonaFileError as error:
        raise StoreError(str(error), code=error.code, id=event.id) from error
    return kept


def _checked_value(event: Event, value: float | str) -> float | str:
    if not isinstance(value, str):
        return _number(event, value)
    _check_text(event, value)
    return value


def _number(event: Event, value: float) -> float:
    try:
        number = float(value) + 0.0  # of two zeros one
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise _bad(event, "must hold finite numbers and texts only, got", value)
    return number


def _check_text(event: Event, text: str) -> None:
    try:
        good = "\0" not in text and bool(text.encode() or True)
    except (TypeError, AttributeError, UnicodeEncodeError):
        good = False
    if not good:
        raise _bad(event, "must hold texts of UTF-8 without NUL only, got", text)


def _bad(event: Event, rule: str, value: object) -> StoreError:
    return StoreError(f"event {event.id!r} {rule} {value!r}", code="bad_event", id=event.id)


def values_text(event: Event) -> str:
    return _encode(event.values)


def event_text(event: Event) -> str:
    """All of it on one line."""
    kind, listener = event.kind.value, event.listener
    return _encode([event.id, event.persona, event.at_s, kind, listener, event.values])


def event_in(text: str) -> Event:
    """The event that `event_text` wrote.

    Raises
    ------
    ValueError
        For another text.
    """
    try:
        id, persona, at_s, kind, listener, values = json.loads(text)
        pairs = tuple([(name, value) for name, value in values])
        return checked(Event(id, persona, at_s, _KINDS[kind], listener, pairs))
    except (KeyError, TypeError, StoreError, RecursionError) as error:
        raise ValueError(text) from error


def event_of(row: Sequence[Any]) -> Event:
    """The event of a row: id, persona, at_s, kind, listener, and what `values_text` writes.

    Raises
    ------
    KeyError
        For a kind that this program does not know.
    ValueError
        For values that `values_text` would not write.
    """
    id, persona, at_s, kind, listener, text = row
    values, end = _decode(text)
    if end != len(text):
        raise ValueError(text)
    pairs = tuple([(name, value) for name, value in values])
    return Event(id, persona, at_s, _KINDS[kind], listener, pairs)


def state_text(state: PersonaState) -> str:
    return _encode(asdict(state))


def state_of(text: str) -> PersonaState | None:
    """The state; none if a program with other fields wrote it: it can be folded anew.

    Raises
    ------
    ValueError
        For a text that is no JSON.
    """
    values = json.loads(text)
    if not isinstance(values, dict) or set(values) != {f.name for f in fields(PersonaState)}:
        return None
    try:
        opinions = tuple(
            Opinion(of["listener"], of["day"], tuple(of["liked"]), tuple(of["lived"]))
            for of in values["opinions"]
        )
        voices = {name: Voice(**values[name]) for name in ("born_voice", "voice")}
        manners = {name: Manner(**values[name]) for name in ("manner", "spoken")}
        return PersonaState(**values | voices | manners | {"opinions": opinions})
    except (KeyError, TypeError, SettingError):
        return None
