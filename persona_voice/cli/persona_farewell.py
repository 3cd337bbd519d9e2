"""``persona-voice persona farewell``: kept in a file, a last word in her voice, and only then erased."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from persona_voice.cli.persona_show import provenance_of
from persona_voice.cli.telling import ledger_of, plain, refuse_existing, tell
from persona_voice.errors import PersonaFileError, SettingError
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import persona_of, state_on
from persona_voice.persona.state import PersonaState
from persona_voice.persona.store import Store

if TYPE_CHECKING:
    from persona_voice.persona.persona_file import Signed

GOODBYE = "This is {}. Thank you for listening to me. Goodbye."


def add_actions(action: Callable[..., argparse.ArgumentParser]) -> None:
    farewell = action(
        "farewell", "write her to a signed file, let her say goodbye, and erase her", say_farewell
    )
    farewell.add_argument("name", metavar="NAME")
    farewell.add_argument(
        "--out", type=Path, metavar="FILE", help="of hers (default: NAME.persona)"
    )
    farewell.add_argument("--words", metavar="TEXT", help="her last ones")
    farewell.add_argument(
        "--voice-out", type=Path, metavar="FILE", help="a sound file for them, instead of playing"
    )
    farewell.add_argument("--yes", action="store_true", help="do not ask")


def say_farewell(kept: Store, options: argparse.Namespace) -> int:
    """Whenever it is cut short, all of her is in the store, or in the file, or in both."""
    persona = ledger_of(kept, options.name).persona
    out = options.out or Path(f"{persona}.persona")
    refuse_existing(out)
    if not options.yes and not _agreed(persona, out):
        tell(options, {"persona": persona, "erased_events": 0}, f"{persona} stays")
        return 0
    signed = _exported(kept, persona, out)
    try:
        heard = _say_goodbye(kept, persona, options)
    except Exception:
        out.unlink(missing_ok=True)  # she is still in the store
        raise
    while (ledger := kept.ledger(persona)) and ledger.num_events != signed.num_events:
        signed = _exported(kept, persona, out)  # something happened to her meanwhile
    erased = kept.erase(persona)
    facts = {
        "persona": persona,
        "file": str(out),
        "events": signed.num_events,
        "signer": signed.signer,
        "erased_events": erased,
        "goodbye": heard,
    }
    if erased != signed.num_events:  # between the last look and the end
        more = erased - signed.num_events
        print(f"persona-voice: {more} events that came last are not in {out}", file=sys.stderr)
    text = f"{persona} is gone from {kept.name}; {out} holds all {signed.num_events} events of her"
    tell(options, facts, f"{text}: persona import brings her back")
    return 0


def _agreed(persona: str, out: Path) -> bool:
    if not sys.stdin.isatty():
        message = f"{persona} would be erased: where nobody can be asked, --yes must say so"
        raise SettingError(message, code="needs_yes")
    print(
        plain(f"{persona} is written to {out} and then erased here. Yes? [y/N] "),
        end="",
        file=sys.stderr,
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _exported(kept: Store, persona: str, out: Path) -> "Signed":
    from persona_voice.persona.persona_file import export_persona

    return export_persona(kept, persona, out, provenance=provenance_of(kept, persona) or "")


def _say_goodbye(kept: Store, persona: str, options: argparse.Namespace) -> str | None:
    """Where it was heard; none where it could not be."""
    state = _state(kept, persona)
    if state is None:
        return None
    from persona_voice.cli.sounding import play, spoken, write

    herself = persona_of(state)
    sound = spoken(options.words or GOODBYE.format(herself.name), herself, state.spoken)
    if options.voice_out:
        write(options.voice_out, [sound.samples], sound.sample_rate)
        return str(options.voice_out)
    return "loudspeaker" if play([sound]) else None


def _state(kept: Store, persona: str) -> PersonaState | None:
    """None, and told, for one who has no voice here: never born, or of another installation."""
    try:
        state = state_on(kept, persona, day_of(time.time()))
        persona_of(state)
    except PersonaFileError as error:
        print(plain(f"persona-voice: no goodbye can be said: {error}"), file=sys.stderr)
        return None
    return state
