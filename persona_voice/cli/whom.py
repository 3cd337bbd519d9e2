"""Whom a name stands for: one of this installation as she comes, or one who lives in the store."""

import argparse
import time

from persona_voice.errors import PersonaFileError, StoreError
from persona_voice.persona.ledger import day_of
from persona_voice.persona.persona import Persona, load_persona, persona_names
from persona_voice.persona.state import BIRTH, Manner


def add_persona(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--persona",
        default="samantha",
        metavar="NAME",
        help="of this installation, or one who lives in the store (default: samantha)",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="who lives there speaks as she has grown (default: a file in your data folder, which "
        "is opened for names that are not of this installation)",
    )


def whom(name: str, where: str | None = None) -> tuple[Persona, Manner]:
    """Who speaks, and in what manner. No store is opened for a name of this installation, unless
    one is named: then she who lives there comes first.

    Raises
    ------
    PersonaFileError
        ``unknown_persona``; ``no_birth``, ``not_born`` for one who does not live yet.
    StoreError
    """
    if where is None and name.lower() in persona_names():
        return load_persona(name), BIRTH
    # Here, since the database takes its time to load.
    from persona_voice.persona.life import persona_of, state_on
    from persona_voice.persona.store import Store

    try:
        with Store(where, create=False) as kept:
            ledger = kept.ledger(name) or kept.ledger(name.lower())
            if ledger:
                state = state_on(kept, ledger.persona, day_of(time.time()))
                return persona_of(state), state.spoken
            there = [*persona_names(), *kept.personas()]
    except StoreError as error:
        if where is not None or error.code != "store_missing":
            raise
        there = persona_names()
    if name.lower() in persona_names():
        return load_persona(name), BIRTH
    known = ", ".join(sorted(set(there)))
    message = f'no persona "{name}" in this installation or in the store; there are: {known}'
    raise PersonaFileError(message, code="unknown_persona", name=name)
