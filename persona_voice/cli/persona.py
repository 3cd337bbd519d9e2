"""``persona-voice persona``: what is remembered of each persona, shown, taken along, forgotten."""

import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import secrets
import time
import uuid
from pathlib import Path

from persona_voice.errors import PersonaFileError, SettingError
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import state_on
from persona_voice.persona.limits import life_used
from persona_voice.persona.persona import load_persona, persona_names
from persona_voice.persona.state import PersonaState
from persona_voice.persona.store import Ledger, Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store",
        metavar="URL",
        help="a file, or postgresql://USER@HOST/NAME (default: a file in your data folder)",
    )
    common.add_argument("--json", action="store_true", help="print it as JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=summary, description=summary, parents=[common])

    action("list", "those who are remembered")
    create = action("create", "let a persona of this installation begin to live and to grow")
    create.add_argument("name", metavar="NAME")
    create.add_argument(
        "--called", metavar="NAME", help="how she is called (default: her own name)"
    )
    show = action("show", "who she is today, and how much is remembered")
    show.add_argument("name", metavar="NAME")
    history = action("history", "all that happened to her, oldest first; as JSON one object a line")
    history.add_argument("name", metavar="NAME")
    forget = action("forget", "erase what a listener told her, for good")
    forget.add_argument("listener", metavar="LISTENER")
    forget.add_argument("--persona", default="samantha", metavar="NAME")
    out = action("export", "write all that happened to her to one signed file")
    out.add_argument("name", metavar="NAME")
    out.add_argument("file", type=Path, metavar="FILE", help="such as samantha.persona")
    out.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="that signs it (default: signing.key in your data folder, made when it is not there)",
    )
    into = action("import", "take in such a file; a tampered one is refused")
    into.add_argument("file", type=Path, metavar="FILE")
    into.add_argument(
        "--signer", default="", metavar="KEY", help="refuse it unless signed with this public key"
    )


def run(options: argparse.Namespace) -> int:
    actions = {
        "list": _list,
        "create": _create,
        "show": _show,
        "history": _history,
        "forget": _forget,
        "export": _export,
        "import": _import,
    }
    with Store(options.store, create=options.action in {"create", "import"}) as kept:
        return actions[options.action](kept, options)


def _list(kept: Store, options: argparse.Namespace) -> int:
    found = [ledger for name in kept.personas() if (ledger := kept.ledger(name))]
    if options.json:
        print(json.dumps([_counts(ledger) for ledger in found]))
    for ledger in [] if options.json else found:
        print(
            f"{ledger.persona:<16} {ledger.num_events:>9} events, last {_moment(ledger.newest_s)}"
        )
    return 0


def _create(kept: Store, options: argparse.Namespace) -> int:
    """The seed is what is her own in how she grows: nobody else grows alike."""
    persona, now = load_persona(options.name), time.time()
    name = persona.name.lower()
    if kept.newest(name, Kind.BORN):
        message = f'"{name}" can be born once, and lives in {kept.name} already'
        raise SettingError(message, code="already_born")
    seed, called = float(secrets.randbelow(2**53)), options.called or persona.name
    kept.append(
        [
            Event(uuid.uuid4().hex, name, now, Kind.BORN, values=(("seed", seed),)),
            Event(uuid.uuid4().hex, name, now, Kind.NAMED, values=(("name", called),)),
        ]
    )
    facts = {"persona": name, "name": called, "born_s": now, "store": kept.name}
    print(json.dumps(facts) if options.json else _plain(f"{called} ({name}) lives in {kept.name}"))
    return 0


def _show(kept: Store, options: argparse.Namespace) -> int:
    ledger = _ledger(kept, options.name)
    named = kept.newest(ledger.persona, Kind.NAMED)
    name = dict(named.values).get("name", ledger.persona) if named else ledger.persona
    state = _state_today(kept, ledger)
    facts = {
        **_counts(ledger),
        "name": name,
        "provenance": _provenance(ledger.persona),
        "day": state.day if state else None,
        "manner": dataclasses.asdict(state.manner) if state else None,
        "life_used": life_used(state.manner) if state else None,
    }
    if options.json:
        print(json.dumps(facts))
        return 0
    provenance = " ".join((_provenance(ledger.persona) or "not of this installation").split())
    print(_plain(f"{name} ({ledger.persona})"))
    print(f"provenance  {provenance}")
    print(f"born        {_moment(ledger.born_s) if ledger.born_s is not None else 'not recorded'}")
    print(f"events      {ledger.num_events}, last {_moment(ledger.newest_s)}")
    print(f"listeners   {ledger.num_listeners}")
    if state is None:
        return 0
    print(
        f"manner      on {_day(state.day)}, against her birth, and how much of its budget for life:"
    )
    used = life_used(state.manner)
    for what, value in dataclasses.asdict(state.manner).items():
        print(f"            {what:<20} {value:+.3f}  {100 * used[what]:+4.0f} %")
    return 0


def _state_today(kept: Store, ledger: Ledger) -> PersonaState | None:
    """None for one who was never born, or only in the future."""
    today = day_of(time.time())
    if ledger.born_s is None or day_of(ledger.born_s) > today:
        return None
    return state_on(kept, ledger.persona, today)


def _history(kept: Store, options: argparse.Namespace) -> int:
    ledger = _ledger(kept, options.name)
    for event in kept.events(ledger.persona):
        if options.json:
            print(json.dumps(dataclasses.asdict(event) | {"values": dict(event.values)}))
        else:
            print(_line(event))
    return 0


def _forget(kept: Store, options: argparse.Namespace) -> int:
    persona = _ledger(kept, options.persona).persona
    erased = kept.num_events_of(persona, options.listener)
    if not erased:
        message = f"{persona} must know the listener who is to be forgotten, got {options.listener}"
        raise SettingError(message, code="unknown_listener")
    event = Event(uuid.uuid4().hex, persona, time.time(), Kind.FORGOTTEN, options.listener)
    kept.append([event])
    facts = {"persona": persona, "listener": options.listener, "erased_events": erased}
    print(
        json.dumps(facts) if options.json else _plain(f"{options.listener}: {erased} events erased")
    )
    return 0


def _export(kept: Store, options: argparse.Namespace) -> int:
    from persona_voice.persona.persona_file import export_persona

    persona = _ledger(kept, options.name).persona
    provenance = _provenance(persona) or ""
    signed = export_persona(kept, persona, options.file, provenance=provenance, key=options.key)
    facts = {"persona": persona, "events": signed.num_events, "signer": signed.signer}
    text = f"{options.file}: {signed.num_events} events of {persona}, signed by {signed.signer}"
    print(json.dumps(facts | {"file": str(options.file)}) if options.json else _plain(text))
    return 0


def _import(kept: Store, options: argparse.Namespace) -> int:
    from persona_voice.persona.persona_file import import_persona

    signed, new = import_persona(kept, options.file, signer=options.signer)
    facts = {
        "persona": signed.persona,
        "provenance": signed.provenance,
        "events": signed.num_events,
        "new_events": new,
        "signer": signed.signer,
    }
    text = f"{signed.persona}: {new} of {signed.num_events} events were new"
    print(json.dumps(facts) if options.json else _plain(f"{text}, signed by {signed.signer}"))
    return 0


def _ledger(kept: Store, name: str) -> Ledger:
    """Of the persona of that name, upper or lower case if there is none spelt so."""
    if ledger := kept.ledger(name) or kept.ledger(name.lower()):
        return ledger
    there = ", ".join(kept.personas()) or "none"
    message = f'no persona "{name}" in {kept.name}; there are: {there}'
    raise PersonaFileError(message, code="unknown_persona", name=name)


def _counts(ledger: Ledger) -> dict[str, object]:
    return {
        "persona": ledger.persona,
        "born_s": ledger.born_s,
        "newest_s": ledger.newest_s,
        "events": ledger.num_events,
        "listeners": ledger.num_listeners,
    }


def _provenance(persona: str) -> str | None:
    return load_persona(persona).provenance if persona in persona_names() else None


def _line(event: Event) -> str:
    told = (f"{n}={v:g}" if isinstance(v, float) else f"{n}={v!r}" for n, v in event.values)
    listener = _plain(event.listener or "-")
    start = f"{_moment(event.at_s)} {event.kind:<12} {listener:<12}"
    return " ".join([start, *map(_plain, told)]).rstrip()


def _plain(text: str) -> str:
    """Names are others' words: nothing in them reaches the terminal as a command."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _moment(at_s: float) -> str:
    with contextlib.suppress(OverflowError, OSError, ValueError):
        return f"{dt.datetime.fromtimestamp(at_s, dt.UTC):%Y-%m-%d %H:%M:%S}Z"
    return f"{at_s:g} s"


def _day(day: int) -> str:
    return _moment(86_400.0 * day)[:10]
