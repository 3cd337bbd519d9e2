"""``persona-voice persona grow``, ``rollback`` and ``upgrade``: what changes how she speaks from now on."""

import argparse
import dataclasses
import time
from collections.abc import Callable

from persona_voice.cli.telling import born_day_of, day_named, day_text, ledger_of, said, tell
from persona_voice.persona.adoption import Step
from persona_voice.persona.ledger import day_of
from persona_voice.persona.store import Store


def add_actions(action: Callable[..., argparse.ArgumentParser]) -> None:
    grow = action("grow", "let her speak as she has grown, if she is heard to be herself", let_grow)
    grow.add_argument("name", metavar="NAME")
    back = action("rollback", "she is again as on a day before, and speaks so", roll_back)
    back.add_argument("name", metavar="NAME")
    back.add_argument("--to", required=True, metavar="DATE", help="such as 2026-03-01, or birth")
    new = action("upgrade", "other weights speak for her, and she sounds as before", upgrade_one)
    new.add_argument("name", metavar="NAME")
    new.add_argument("weights", metavar="WEIGHTS", help="a weights file, or one of the package's")


def let_grow(kept: Store, options: argparse.Namespace) -> int:
    from persona_voice.growth import grow

    persona = ledger_of(kept, options.name).persona
    return _tell(grow(kept, persona, time.time()), options)


def roll_back(kept: Store, options: argparse.Namespace) -> int:
    from persona_voice.growth import return_to

    ledger, now = ledger_of(kept, options.name), time.time()
    today = day_of(now)
    day = day_named(options.to, born_day_of(ledger, today), today)
    return _tell(return_to(kept, ledger.persona, day, now), options, f", as on {day_text(day)}")


def upgrade_one(kept: Store, options: argparse.Namespace) -> int:
    from persona_voice.growth import upgrade

    persona = ledger_of(kept, options.name).persona
    done = upgrade(kept, persona, options.weights, time.time())
    facts = {"persona": persona} | dataclasses.asdict(done)
    voice = said(dataclasses.asdict(done.voice))
    text = f"{persona} speaks with {done.weights}: {voice}; similarity {done.similarity:.3f}"
    tell(options, facts, f"{text} to herself before")
    return 0


def _tell(step: Step, options: argparse.Namespace, as_when: str = "") -> int:
    state = step.state
    facts = {
        "persona": state.persona,
        "adopted": step.adopted,
        "similarity": step.similarity,
        "manner": dataclasses.asdict(step.manner),
        "spoken": dataclasses.asdict(state.spoken),
    }
    how = "adopted" if step.adopted else "refused"
    spoken = said(dataclasses.asdict(state.spoken))
    text = f"{how}{as_when}, similarity to birth {step.similarity:.3f}: {state.persona} speaks so: {spoken}"
    tell(options, facts, text)
    return 0
