"""``persona-voice persona show``, ``history`` and ``diff``: who she is, was, and how two differ."""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable

from persona_voice.cli.telling import (
    born_day_of,
    day_named,
    day_text,
    ledger_of,
    moment,
    plain,
    said,
    state_of_day,
    tell,
)
from persona_voice.persona.event import OF_A_VOICE, Event, Kind
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import state_on
from persona_voice.persona.limits import NOTICEABLE, life_used
from persona_voice.persona.persona import Persona, load_persona, persona_names
from persona_voice.persona.state import PersonaState
from persona_voice.persona.store import Ledger, Store

HERSELF = "as she comes with this installation"


def add_actions(action: Callable[..., argparse.ArgumentParser]) -> None:
    show = action("show", "who she is today, and how much is remembered", show_one)
    show.add_argument("name", metavar="NAME")
    history = action(
        "history", "all that happened to her, oldest first; as JSON one object a line", tell_history
    )
    history.add_argument("name", metavar="NAME")
    diff = action("diff", "how two differ, or one from herself on another day", tell_difference)
    for one in ("one", "other"):
        diff.add_argument(
            one, metavar="NAME[@DAY]", help="DAY: a date, birth or today (default: today)"
        )


def show_one(kept: Store, options: argparse.Namespace) -> int:
    ledger = ledger_of(kept, options.name)
    named = kept.newest(ledger.persona, Kind.NAMED)
    name = dict(named.values).get("name", ledger.persona) if named else ledger.persona
    base = _base(kept, ledger.persona)
    state = _state_today(kept, ledger)
    facts = {
        **counts(ledger),
        "name": name,
        "base": base.name.lower() if base else None,
        "provenance": provenance_of(kept, ledger.persona),
        "consent": base.consent if base else None,
        "weights": (state.weights if state else "") or (base.weights if base else None),
        **_of_state(state),
    }
    tell(options, facts, _shown(facts, ledger, state, base))
    return 0


def _of_state(state: PersonaState | None) -> dict[str, object]:
    if state is None:
        return dict.fromkeys(("day", "age_days", "born_voice", "voice", "manner", "life_used"))
    return {
        "day": state.day,
        "age_days": state.day - state.born_day,
        "born_voice": dataclasses.asdict(state.born_voice),
        "voice": dataclasses.asdict(state.voice),
        "manner": dataclasses.asdict(state.manner),
        "life_used": life_used(state.manner),
        "spoken": dataclasses.asdict(state.spoken),
        "spoken_life_used": life_used(state.spoken),
        "spoken_day": state.spoken_day,
        "similarity_to_birth": _similarity(state),
    }


def _similarity(state: PersonaState) -> float | None:
    """Of how she speaks; None for one whose voice this installation does not have."""
    if (state.base or state.persona).lower() not in persona_names():
        return None
    from persona_voice.growth import similarity_to_birth

    return similarity_to_birth(state, state.spoken)


def _shown(
    facts: dict[str, object], ledger: Ledger, state: PersonaState | None, base: Persona | None
) -> str:
    lines = [f"{facts['name']} ({ledger.persona})"]
    if base:
        lines.append(f"base        {base.name}")
    provenance = " ".join(str(facts["provenance"] or "not of this installation").split())
    lines.append(f"provenance  {provenance}")
    if base:
        lines.append(f"consent     {base.consent}")
        lines.append(f"weights     {facts['weights']}")
    born = moment(ledger.born_s) if ledger.born_s is not None else "not recorded"
    lines.append(f"born        {born}")
    if state:
        lines.append(f"age         {state.day - state.born_day} days")
    lines.append(f"events      {ledger.num_events}, last {moment(ledger.newest_s)}")
    lines.append(f"listeners   {ledger.num_listeners}")
    if (similarity := facts.get("similarity_to_birth")) is not None:
        lines.append(f"similarity  to birth, as she speaks: {similarity:.3f}")
    return "\n".join([*lines, *(_as_she_is(state) if state else [])])


def _as_she_is(state: PersonaState) -> list[str]:
    base = state.base or state.persona
    lines = [f"voice       at birth, against {base} as she comes:"]
    lines += [
        f"            {n:<20} {v:+.3f}" for n, v in dataclasses.asdict(state.born_voice).items()
    ]
    when = "birth" if state.spoken_day is None else f"adopted of {day_text(state.spoken_day)}"
    lines += [
        f"manner      on {day_text(state.day)}, against her birth, and how much of its budget for life:",
        f"            {'':<20} {'grown':>6}  {'':<6}  spoken, as at {when}",
    ]
    grown, spoken = life_used(state.manner), life_used(state.spoken)
    for what, value in dataclasses.asdict(state.manner).items():
        lines.append(
            f"            {what:<20} {value:+.3f}  {100 * grown[what]:+4.0f} %  "
            f"{getattr(state.spoken, what):+.3f}  {100 * spoken[what]:+4.0f} %"
        )
    return lines


def _state_today(kept: Store, ledger: Ledger) -> PersonaState | None:
    """None for one who was never born, or only in the future."""
    today = day_of(time.time())
    if ledger.born_s is None or day_of(ledger.born_s) > today:
        return None
    return state_on(kept, ledger.persona, today)


def counts(ledger: Ledger) -> dict[str, object]:
    return {
        "persona": ledger.persona,
        "born_s": ledger.born_s,
        "newest_s": ledger.newest_s,
        "events": ledger.num_events,
        "listeners": ledger.num_listeners,
    }


def provenance_of(kept: Store, persona: str) -> str | None:
    """Where her voice came from; none if this installation cannot know."""
    base = _base(kept, persona)
    if base is None or persona in persona_names():
        return base.provenance if base else None
    return (
        f"Designed, as a point in the space of {base.name}'s voice. {base.name}: {base.provenance}"
    )


def _base(kept: Store, persona: str) -> Persona | None:
    """The persona of this installation that she is, or is designed from."""
    designed = kept.newest(persona, Kind.DESIGNED)
    name = str(dict(designed.values)["base"]) if designed else persona
    return load_persona(name) if name.lower() in persona_names() else None


def tell_history(kept: Store, options: argparse.Namespace) -> int:
    ledger = ledger_of(kept, options.name)
    for event in kept.events(ledger.persona):
        if options.json:
            print(json.dumps(dataclasses.asdict(event) | {"values": dict(event.values)}))
        else:
            print(_line(event))
    return 0


def _line(event: Event) -> str:
    listener = plain(event.listener or "-")
    start = f"{moment(event.at_s)} {event.kind:<12} {listener:<12}"
    return f"{start} {plain(_told(event))}".rstrip()


def _told(event: Event) -> str:
    values = dict(event.values)
    if event.kind in OF_A_VOICE:
        whose = "from" if event.kind is Kind.DESIGNED else "to the weights"
        return f"{whose} {values.get('base', values.get('weights'))}: {said(values)}"
    when = day_text(int(values["day"])) if "day" in values else ""
    if event.kind is Kind.RETURNED:
        return f"to {when}"
    if event.kind is Kind.REFUSED:
        return f"similarity {values['similarity']:.3f}, back to {when}"
    if event.kind is Kind.ADOPTED:
        return f"as of {when}, similarity {values['similarity']:.3f}: {said(values)}"
    told = (f"{n}={v:g}" if isinstance(v, float) else f"{n}={v!r}" for n, v in event.values)
    return " ".join(told)


def tell_difference(kept: Store, options: argparse.Namespace) -> int:
    one, other = (_on_its_day(kept, words) for words in (options.one, options.other))
    rows = [
        {
            "of": of,
            "value": name,
            "one": getattr(a, name),
            "other": getattr(b, name),
            "difference": getattr(b, name) - getattr(a, name),
            "noticeable": (getattr(b, name) - getattr(a, name)) / NOTICEABLE[name],
        }
        for of in ("voice", "spoken", "manner")
        for a, b in [(getattr(one, of), getattr(other, of))]
        for name in (field.name for field in dataclasses.fields(a))
    ]
    facts = {
        name: {"persona": of.persona, "day": of.day, "base": of.base or of.persona}
        for name, of in (("one", one), ("other", other))
    }
    heads = [f"{of.persona}@{day_text(of.day)}" for of in (one, other)]
    head = f"{'':<28} {heads[0]:>20} {heads[1]:>20}  difference  in noticeable ones"
    tell(options, facts | {"values": rows}, "\n".join([head, *map(_row, rows)]))
    return 0


def _on_its_day(kept: Store, words: str) -> PersonaState:
    name, _, day = words.partition("@")
    ledger, today = ledger_of(kept, name), day_of(time.time())
    born_day = born_day_of(ledger, today)
    wanted = day_named(day or "today", born_day, today)
    return state_of_day(kept, ledger.persona, born_day, wanted)


def _row(row: dict[str, object]) -> str:
    return (
        f"{row['of']:<8}{row['value']:<20} {row['one']:>+20.3f} {row['other']:>+20.3f}"
        f"  {row['difference']:>+10.3f}  {row['noticeable']:>+10.2f}"
    )
