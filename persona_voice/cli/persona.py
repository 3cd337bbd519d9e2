"""``persona-voice persona``: what is remembered of each persona, shown, taken along, forgotten."""

import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import time
import uuid
from pathlib import Path

from persona_voice.errors import PersonaFileError, SettingError
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.persona import load_persona, persona_names
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
    show = action("show", "who she is, and how much is remembered")
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
        "show": _show,
        "history": _history,
        "forget": _forget,
        "export": _export,
        "import": _import,
    }
    with Store(options.store, create=options.action == "import") as kept:
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


def _show(kept: Store, options: argparse.Namespace) -> int:
    ledger = _ledger(kept, options.name)
    named = kept.newest(ledger.persona, Kind.NAMED)
    name = dict(named.values).get("name", ledger.persona) if named else ledger.persona
    state = kept.snapshot(ledger.persona)
    facts = {
        **_counts(ledger),
        "name": name,
        "provenance": _provenance(ledger.persona),
        "snapshot": dataclasses.asdict(state) if state else None,
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
    print(f"snapshot    {f'of {_day(state.day)}' if state else 'none'}")
    for what, value in dataclasses.asdict(state.manner).items() if state else ():
        print(f"            {what} {value:+.3f}")
    return 0


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
