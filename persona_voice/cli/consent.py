"""``persona-voice consent``: what somebody is asked to agree to before a voice is modelled on theirs."""

import argparse
import datetime as dt
from dataclasses import asdict
from pathlib import Path

from persona_voice.cli.telling import refuse_existing, tell
from persona_voice.persona.consent import asked_of, consent_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("who", metavar="WHO", help="their name, as they say it")
    parser.add_argument(
        "--scope", required=True, metavar="TEXT", help="such as 'reading my letters to my family'"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("consent.toml"), metavar="FILE", help="(%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(options: argparse.Namespace) -> int:
    agreed = asked_of(options.who, options.scope, dt.date.today())
    refuse_existing(options.out)
    options.out.write_text(consent_text(agreed), encoding="utf-8")
    facts = asdict(agreed) | {"date": agreed.date.isoformat(), "file": str(options.out)}
    text = f"{options.out}: to be read aloud and recorded, word for word:\n{agreed.phrase}"
    tell(options, facts, text)
    return 0
