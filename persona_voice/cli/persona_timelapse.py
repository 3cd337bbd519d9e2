"""``persona-voice persona timelapse``: the same sentence at several ages, and a picture of her life."""

import argparse
import dataclasses
import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from persona_voice.cli.telling import born_day_of, day_text, ledger_of, said, state_of_day, tell
from persona_voice.errors import SettingError
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.evolve import adopted, birth, course
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import persona_of
from persona_voice.persona.state import BIRTH, PersonaState
from persona_voice.persona.store import Store

if TYPE_CHECKING:
    from persona_voice.build import Spoken

AGES = "0,30,365,today"
PAUSE_S = 0.6


@dataclass(frozen=True)
class Moment:
    """She at an age, and her sentence."""

    age: int
    state: PersonaState
    sound: "Spoken"


def add_actions(action: Callable[..., argparse.ArgumentParser]) -> None:
    lapse = action("timelapse", "the same sentence at several ages, one after the other", make)
    lapse.add_argument("name", metavar="NAME")
    lapse.add_argument("text", metavar="TEXT", help="what she says")
    lapse.add_argument(
        "--ages",
        metavar="DAYS",
        help="after so many days, 0 for birth, or today, with commas between "
        f"(default: those of {AGES} that she has reached)",
    )
    lapse.add_argument("--out", type=Path, metavar="FILE", help="a sound file instead of playing")
    lapse.add_argument(
        "--picture", type=Path, metavar="FILE", help="a PNG of each value of her manner over time"
    )


def make(kept: Store, options: argparse.Namespace) -> int:
    ledger, today = ledger_of(kept, options.name), day_of(time.time())
    born_day = born_day_of(ledger, today)
    if not options.text.strip():
        message = f"the text must hold a word to say, got {options.text!r}"
        raise SettingError(message, code="empty_text")
    if options.picture and options.picture.suffix.lower() != ".png":
        message = f"a picture's name must end in .png, got {options.picture}"
        raise SettingError(message, code="bad_picture")
    if options.picture and importlib.util.find_spec("matplotlib") is None:
        message = "a picture needs matplotlib: pip install 'persona-voice-engine[demo]'"
        raise SettingError(message, code="no_matplotlib")
    ages = ages_of(options.ages, today - born_day)
    moments = [_moment(kept, ledger.persona, options.text, born_day, age) for age in ages]
    heard = _heard(moments, options.out)
    events = list(kept.events(ledger.persona))
    if options.picture:
        _draw(events, moments, today, options.picture)
    facts = {
        "persona": ledger.persona,
        "text": options.text,
        "output": heard,
        "picture": str(options.picture) if options.picture else None,
        "ages": _facts(moments),
    }
    lines = [
        f"{day_text(of.state.day)}  {of.age:>5} days  {said(dataclasses.asdict(of.state.spoken))}"
        for of in moments
    ]
    files = [str(path) for path in (heard, options.picture) if path]
    tell(options, facts, "\n".join([*lines, *files]))
    return 0


def ages_of(text: str | None, today: int) -> list[int]:
    """Ages in days, in the order asked for.

    Raises
    ------
    SettingError
        ``bad_ages``.
    """
    words = [word.strip() for word in (text if text is not None else AGES).split(",")]
    if not all(word == "today" or word.isdecimal() for word in words):
        message = f"ages must be whole numbers of days or today, with commas between, got {text}"
        raise SettingError(message, code="bad_ages")
    ages = [today if word == "today" else int(word) for word in words]
    if text is None:
        return sorted({age for age in ages if age <= today})
    if max(ages) > today:
        message = f"ages must lie in 0..={today} days, which is hers today, got {max(ages)}"
        raise SettingError(message, code="bad_ages")
    return ages


def _moment(kept: Store, persona: str, text: str, born_day: int, age: int) -> Moment:
    """At birth she is as at the end of the day before: nothing of it is lived yet."""
    from persona_voice.cli.sounding import spoken

    state = state_of_day(kept, persona, born_day, born_day + age if age else born_day - 1)
    return Moment(age, state, spoken(text, persona_of(state), state.spoken))


def _heard(moments: Sequence[Moment], out: Path | None) -> str | None:
    from persona_voice.build import Spoken
    from persona_voice.cli.sounding import play, write

    rate = moments[0].sound.sample_rate
    pause = np.zeros(round(PAUSE_S * rate), np.float32)
    blocks = [block for of in moments for block in (pause, of.sound.samples)][1:]
    if out:
        write(out, blocks, rate)
        return str(out)
    return "loudspeaker" if play([Spoken(np.concatenate(blocks), rate)]) else None


def _facts(moments: Sequence[Moment]) -> list[dict[str, object]]:
    facts, at = [], 0.0
    for of in moments:
        seconds = len(of.sound.samples) / of.sound.sample_rate
        facts.append(
            {
                "age_days": of.age,
                "day": day_text(of.state.day),
                "starts_s": round(at, 3),
                "seconds": round(seconds, 3),
                "spoken": dataclasses.asdict(of.state.spoken),
                "grown": dataclasses.asdict(of.state.manner),
            }
        )
        at += seconds + PAUSE_S
    return facts


def _draw(events: list[Event], moments: Sequence[Moment], today: int, path: Path) -> None:
    from persona_voice.cli.growth_picture import Life, draw

    start = birth(events)
    manners, state = course(events, start, today)
    spoken_since = [
        (max(day_of(event.at_s) - start.born_day, 0), adopted(event))
        for event in events
        if event.kind is Kind.ADOPTED and day_of(event.at_s) <= today
    ]
    grown = [(day - start.born_day, manner) for day, manner in manners.items()]
    ages = [of.age for of in moments]
    draw(Life(state.name or state.persona, grown, [(0, BIRTH), *spoken_since], ages), path)
