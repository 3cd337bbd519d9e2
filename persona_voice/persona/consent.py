"""Consent: whose voice may be modelled, for what, since when, and the words that say so."""

import datetime as dt
import secrets
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from persona_voice.errors import ConsentError
from persona_voice.persona.toml import toml_text

# Words that sound unlike each other, all common: some of them end a phrase, so that no older recording says it.
WORDS = (
    *("anchor", "apple", "autumn", "balloon", "basket", "butter", "candle", "castle", "chimney"),
    *("coffee", "copper", "cotton", "diamond", "dolphin", "engine", "feather", "finger", "forest"),
    *("garden", "hammer", "harbour", "island", "jacket", "kitchen", "ladder", "lemon", "marble"),
    *("meadow", "mirror", "morning", "mountain", "needle", "number", "ocean", "orange", "paper"),
    *("pepper", "pigeon", "pocket", "potato", "rabbit", "river", "saddle", "shadow", "silver"),
    *("summer", "sunday", "table", "thunder", "ticket", "tiger", "turtle", "valley", "velvet"),
    *("violin", "window", "winter", "yellow"),
)
LAST_WORDS = 4
# Fewer are said by chance, or heard where they were not said.
SHORTEST_PHRASE = 8


@dataclass(frozen=True)
class Consent:
    """Of a person, that a voice be modelled on recordings of theirs. A value, read from a TOML file.

    Raises
    ------
    ConsentError
        ``bad_consent`` for what is empty, for a day that is still to come, and for a phrase of fewer than
        `SHORTEST_PHRASE` words or without the name.
    """

    who: str
    """Their name."""
    scope: str
    """What the voice may be used for."""
    date: dt.date
    phrase: str
    """What they have recorded, word for word."""
    language: str = "en-us"
    """Of the phrase, as espeak-ng names it."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            wanted = dt.date if each.name == "date" else str
            if type(value) is not wanted or not str(value).strip():
                kind = "a day as 2026-11-30" if wanted is dt.date else "text"
                message = f"a consent's {each.name} must be {kind}, got {value!r}"
                raise ConsentError(message, code="bad_consent")
        if self.date > dt.date.today() + dt.timedelta(days=1):  # it is tomorrow elsewhere already
            message = f"a consent's date must not be still to come, got {self.date}"
            raise ConsentError(message, code="bad_consent")
        if len(self.phrase.split()) < SHORTEST_PHRASE or self.who not in self.phrase:
            message = (
                f"a consent's phrase must be {SHORTEST_PHRASE} words or more and hold the name {self.who}, "
                f"got {self.phrase!r}"
            )
            raise ConsentError(message, code="bad_consent")


def asked_of(who: str, scope: str, date: dt.date) -> Consent:
    """What that person is to agree to, and to say aloud: the phrase ends in words drawn by lot.

    Raises
    ------
    ConsentError
        ``bad_consent``; for what cannot be read aloud on one line, too.
    """
    for name, value in (("who", who), ("scope", scope)):
        if not value.isprintable():
            message = f"a consent's {name} must be text on one line, got {value!r}"
            raise ConsentError(message, code="bad_consent")
    chosen = secrets.SystemRandom().sample(WORDS, LAST_WORDS)
    day = f"{date:%B} {date.day}, {date.year}"
    phrase = (
        f"I am {who}. Today, on {day}, I agree that a voice is modelled on recordings of mine, for "
        f"{scope}. {' '.join(chosen).capitalize()}."
    )
    return Consent(who, scope, date, phrase)


def read_consent(file: Path) -> Consent:
    """
    Raises
    ------
    ConsentError
        ``no_consent`` if there is no such file; ``bad_consent``.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        message = f"a voice is modelled on a person only with their consent: no such file, {file}"
        raise ConsentError(message, code="no_consent") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        message = f"{file} must be a readable TOML file: {error}"
        raise ConsentError(message, code="bad_consent") from error
    wanted = [each.name for each in fields(Consent)]
    odd = sorted({*wanted} - {*values} - {"language"} | {*values} - {*wanted})
    if odd:
        message = (
            f"{file} must hold exactly {', '.join(wanted)}; missing or unknown: {', '.join(odd)}"
        )
        raise ConsentError(message, code="bad_consent")
    return Consent(**values)


def consent_text(consent: Consent) -> str:
    """As `read_consent` reads it."""
    return toml_text({each.name: getattr(consent, each.name) for each in fields(consent)})
