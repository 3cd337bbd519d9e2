"""``persona-voice persona rollback``: back to a day of her life."""

import argparse
import dataclasses
import time
from collections.abc import Callable

from persona_voice.cli.telling import born_day_of, day_named, day_text, ledger_of, said, tell
from persona_voice.persona.ledger import day_of
from persona_voice.persona.returning import return_to
from persona_voice.persona.store import Store


def add_actions(action: Callable[..., argparse.ArgumentParser]) -> None:
    back = action(
        "rollback", "she is again as on a day before, and speaks as she then did", roll_back
    )
    back.add_argument("name", metavar="NAME")
    back.add_argument("--to", required=True, metavar="DATE", help="such as 2026-03-01, or birth")


def roll_back(kept: Store, options: argparse.Namespace) -> int:
    ledger, now = ledger_of(kept, options.name), time.time()
    today = day_of(now)
    day = day_named(options.to, born_day_of(ledger, today), today)
    state = return_to(kept, ledger.persona, day, now)
    facts = {
        "persona": state.persona,
        "to_day": day,
        "day": state.day,
        "manner": dataclasses.asdict(state.manner),
        "spoken": dataclasses.asdict(state.spoken),
    }
    text = f"{state.persona} is again as on {day_text(day)}, and speaks so: {said(dataclasses.asdict(state.spoken))}"
    tell(options, facts, text)
    return 0
