"""How what is remembered of a persona is told: her facts, days and values as text."""

import argparse
import contextlib
import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from persona_voice.errors import PersonaFileError, SettingError
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import state_on
from persona_voice.persona.state import PersonaState
from persona_voice.persona.store import Ledger, Store

# How each value of a voice and of a manner is said to people.
SAID: dict[str, Callable[[float], str]] = {
    "register_semitones": lambda v: f"register {v:+.2f} st",
    "tract_octaves": lambda v: f"tract {100 * (2**v - 1):+.1f} %",
    "range_octaves": lambda v: f"range {100 * (2**v - 1):+.1f} %",
    "rate_octaves": lambda v: f"rate {100 * (2**v - 1):+.1f} %",
    "level_db": lambda v: f"level {v:+.2f} dB",
    "breath_db": lambda v: f"breath {v:+.2f} dB",
    "tilt_db": lambda v: f"tilt {v:+.2f} dB an octave",
}


def tell(options: argparse.Namespace, facts: object, text: str) -> None:
    print(json.dumps(facts) if options.json else plain(text))


def refuse_existing(out: Path) -> None:
    """
    Raises
    ------
    PersonaFileError
        ``file_exists``.
    """
    if out.exists():
        message = (
            f"{out} must not be there yet, so that nobody kept is lost; name another with --out"
        )
        raise PersonaFileError(message, code="file_exists")


def plain(text: str) -> str:
    """Names are others' words: nothing in them reaches the terminal as a command."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def said(values: Mapping[str, object]) -> str:
    """A voice, or a manner, in one line."""
    return ", ".join(say(float(str(values[name]))) for name, say in SAID.items() if name in values)


def moment(at_s: float) -> str:
    with contextlib.suppress(OverflowError, OSError, ValueError):
        return f"{dt.datetime.fromtimestamp(at_s, dt.UTC):%Y-%m-%d %H:%M:%S}Z"
    return f"{at_s:g} s"


def day_text(day: int) -> str:
    return moment(86_400.0 * day)[:10]


def day_named(text: str, born_day: int, today: int) -> int:
    """A day of her life: a date, ``today``, or ``birth``, which is the end of the day before it, and told as that.

    Raises
    ------
    SettingError
        ``bad_date``.
    """
    if text in {"today", "birth"}:
        return today if text == "today" else born_day - 1
    day = None
    with contextlib.suppress(ValueError):
        day = (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days
    if day is None or not born_day - 1 <= day <= today:
        message = (
            f"a day of hers must be birth, today or a date from {day_text(born_day)} to "
            f"{day_text(today)}, got {text}"
        )
        raise SettingError(message, code="bad_date")
    return day


def state_of_day(kept: Store, persona: str, born_day: int, day: int) -> PersonaState:
    """As `state_on`; before her first day she has lived nothing, and is who was born on it."""
    state = state_on(kept, persona, day)
    if day >= born_day:
        return state
    born = state_on(kept, persona, born_day)
    return replace(born, day=day, manner=state.manner, spoken=state.spoken, opinions=())


def ledger_of(kept: Store, name: str) -> Ledger:
    """Of the persona of that name, upper or lower case if there is none spelt so."""
    if ledger := kept.ledger(name) or kept.ledger(name.lower()):
        return ledger
    there = ", ".join(kept.personas()) or "none"
    message = f'no persona "{name}" in {kept.name}; there are: {there}'
    raise PersonaFileError(message, code="unknown_persona", name=name)


def born_day_of(ledger: Ledger, today: int) -> int:
    """Of one who lives.

    Raises
    ------
    PersonaFileError
        ``not_born``
    """
    if ledger.born_s is None or day_of(ledger.born_s) > today:
        when = "never" if ledger.born_s is None else f"on {moment(ledger.born_s)}"
        message = f'"{ledger.persona}" must have been born by today, and was {when}'
        raise PersonaFileError(message, code="not_born")
    return day_of(ledger.born_s)
