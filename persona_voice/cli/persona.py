"""``persona-voice persona``: who lives, what is remembered of each; the actions, and the store."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from persona_voice.cli import (
    persona_create,
    persona_farewell,
    persona_past,
    persona_show,
    persona_timelapse,
)
from persona_voice.cli.telling import ledger_of, moment, tell
from persona_voice.errors import PersonaFileError, SettingError
from persona_voice.persona.event import Kind, happened
from persona_voice.persona.store import Store

Act = Callable[[Store, argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store",
        metavar="URL",
        help="a file, or postgresql://USER@HOST/NAME (default: a file in your data folder)",
    )
    common.add_argument("--json", action="store_true", help="print it as JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(
        name: str, summary: str, act: Act, *, makes_store: bool = False
    ) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=summary, description=summary, parents=[common])
        added.set_defaults(act=act, makes_store=makes_store)
        return added

    # Each adds actions of its own: `add_actions(action)`.
    for part in (
        persona_create,
        persona_show,
        persona_past,
        persona_timelapse,
        persona_farewell,
    ):
        part.add_actions(action)
    action("list", "those who are remembered", _list)
    forget = action("forget", "erase what a listener told them, for good", _forget)
    forget.add_argument("listener", metavar="LISTENER")
    forget.add_argument("--persona", metavar="NAME", help="only her (default: everyone who lives)")
    out = action("export", "write all that happened to her to one signed file", _export)
    out.add_argument("name", metavar="NAME")
    out.add_argument("file", type=Path, metavar="FILE", help="such as samantha.persona")
    out.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="that signs it (default: signing.key in your data folder, made when it is not there)",
    )
    into = action(
        "import", "take in such a file; a tampered one is refused", _import, makes_store=True
    )
    into.add_argument("file", type=Path, metavar="FILE")
    into.add_argument(
        "--signer", default="", metavar="KEY", help="refuse it unless signed with this public key"
    )


def run(options: argparse.Namespace) -> int:
    with Store(options.store, create=options.makes_store) as kept:
        act: Act = options.act
        return act(kept, options)


def _list(kept: Store, options: argparse.Namespace) -> int:
    found = [ledger for name in kept.personas() if (ledger := kept.ledger(name))]
    lines = (
        f"{of.persona:<16} {of.num_events:>9} events, last {moment(of.newest_s)}" for of in found
    )
    if options.json or found:
        tell(options, [persona_show.counts(ledger) for ledger in found], "\n".join(lines))
    return 0


def _forget(kept: Store, options: argparse.Namespace) -> int:
    given = options.persona
    asked = [ledger_of(kept, given).persona] if given else kept.personas()
    known = [persona for persona in asked if _forget_at(kept, persona, options)]
    if not known:
        who = ", ".join(asked) or "somebody"
        message = f"{who} must know the listener who is to be forgotten, got {options.listener}"
        raise SettingError(message, code="unknown_listener")
    return 0


def _forget_at(kept: Store, persona: str, options: argparse.Namespace) -> bool:
    """Whether she knew them at all."""
    erased, now = kept.num_events_of(persona, options.listener), time.time()
    leaned = kept.leaning(persona, options.listener, now) is not None
    if not erased and not leaned:
        return False
    event = happened(Kind.FORGOTTEN, persona, now, options.listener)
    kept.append([event])
    facts = {"persona": persona, "listener": options.listener, "erased_events": erased}
    more = ", and how she leaned towards them" if leaned else ""
    tell(
        options,
        facts | {"erased_leaning": leaned},
        f"{options.listener}: {erased} events of {persona} erased{more}",
    )
    return True


def _export(kept: Store, options: argparse.Namespace) -> int:
    from persona_voice.persona.persona_file import check_persona, export_persona

    persona = ledger_of(kept, options.name).persona
    if options.file.exists() and (held := check_persona(options.file).persona) != persona:
        message = (
            f"{options.file} must hold none but {persona}, who would replace it; it holds {held}"
        )
        raise PersonaFileError(message, code="file_exists")
    provenance = persona_show.provenance_of(kept, persona) or ""
    signed = export_persona(kept, persona, options.file, provenance=provenance, key=options.key)
    facts = {
        "persona": persona,
        "events": signed.num_events,
        "signer": signed.signer,
        "file": str(options.file),
    }
    text = f"{options.file}: {signed.num_events} events of {persona}, signed by {signed.signer}"
    tell(options, facts, text)
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
    tell(options, facts, f"{text}, signed by {signed.signer}")
    return 0
