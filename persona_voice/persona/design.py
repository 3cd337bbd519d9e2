"""A voice from words: "warm, low, a little husky, in her thirties"; and voices from a seed."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import pairwise

from persona_voice.errors import SettingError
from persona_voice.persona.voice import DESIGN, VOICE, Voice

Point = tuple[float, float, float, float]

# What each word moves, as against the voice that she is designed from: a comparative says no more.
# Signs have these sources; sizes, and what is not named here, are ours, by ear of the word's sense.
#   large, small: a longer tract, and a lower F0, sound larger; Smith & Patterson (2005), JASA 118:3177
#   breathy, firm: noise in voiced sounds, and a steeper spectrum; Klatt & Klatt (1990), JASA 87:820
#   bright, dark: where the middle of the spectrum lies; Grey & Gordon (1978), JASA 63:1493
#   feminine, masculine: F0 and tract together; Hillenbrand & Clark (2009), APP 71:1150
#   whispery and husky as breath: Laver (1980), The phonetic description of voice quality
#        register_semitones, tract_octaves, breath_db, tilt_db
WORDS: dict[str, Point] = {
    # register
    "low": (-2.0, 0.0, 0.0, 0.0),
    "high": (+2.0, 0.0, 0.0, 0.0),
    "deep": (-3.0, +0.05, 0.0, -0.3),
    # tract
    "large": (-1.0, +0.07, 0.0, 0.0),
    "big": (-1.0, +0.07, 0.0, 0.0),
    "small": (+1.0, -0.07, 0.0, 0.0),
    "little": (+1.0, -0.07, 0.0, 0.0),
    "long": (0.0, +0.07, 0.0, 0.0),
    "short": (0.0, -0.07, 0.0, 0.0),
    "full": (-0.5, +0.04, -1.0, -0.3),
    "rich": (-0.5, +0.04, -1.0, -0.3),
    "thin": (+0.5, -0.05, 0.0, +0.5),
    "heavy": (-1.0, +0.05, 0.0, -0.3),
    "light": (+1.0, -0.04, +0.5, +0.2),
    # darkness
    "dark": (0.0, +0.02, 0.0, -0.8),
    "bright": (0.0, -0.02, 0.0, +0.8),
    "warm": (-1.0, +0.03, +1.0, -0.6),
    "warmth": (-1.0, +0.03, +1.0, -0.6),
    "cold": (+0.5, -0.02, -1.0, +0.5),
    "cool": (+0.5, -0.02, -1.0, +0.5),
    "mellow": (-0.7, +0.02, +0.5, -0.6),
    "round": (0.0, +0.03, -0.5, -0.5),
    "muffled": (0.0, 0.0, 0.0, -1.0),
    "dull": (0.0, 0.0, 0.0, -0.8),
    "crisp": (0.0, -0.01, -2.0, +0.7),
    "sharp": (+0.5, -0.02, -2.0, +0.9),
    "shrill": (+3.0, -0.04, -1.0, +1.0),
    # breath
    "breathy": (0.0, 0.0, +3.5, -0.3),
    "breath": (0.0, 0.0, +3.5, -0.3),
    "airy": (+0.5, 0.0, +2.5, 0.0),
    "husky": (-1.0, 0.0, +3.0, -0.5),
    "smoky": (-1.5, +0.02, +2.5, -0.6),
    "sultry": (-2.0, +0.03, +3.0, -0.7),
    "whispery": (0.0, 0.0, +5.0, -0.6),
    "velvety": (-1.0, +0.02, +1.5, -0.7),
    "silky": (-0.3, 0.0, +1.5, -0.4),
    "soft": (0.0, 0.0, +1.5, -0.6),
    "gentle": (0.0, 0.0, +1.5, -0.5),
    "tender": (-0.5, 0.0, +2.0, -0.5),
    "intimate": (-1.0, 0.0, +2.5, -0.5),
    "relaxed": (-0.5, 0.0, +1.0, -0.3),
    "calm": (-0.5, 0.0, +0.5, -0.3),
    "firm": (0.0, 0.0, -3.0, +0.3),
    "clear": (0.0, 0.0, -2.0, +0.4),
    "strong": (-0.3, +0.02, -2.5, +0.5),
    "frail": (+0.3, -0.02, +2.5, -0.4),
    # age and sex
    "young": (+1.0, -0.03, 0.0, +0.2),
    "youthful": (+1.0, -0.03, 0.0, +0.2),
    "girlish": (+2.5, -0.06, +1.0, +0.2),
    "mature": (-1.0, +0.02, 0.0, -0.2),
    "old": (-2.0, +0.02, +1.5, -0.3),
    "elderly": (-2.5, +0.03, +2.0, -0.3),
    "feminine": (+1.0, -0.04, +0.5, 0.0),
    "masculine": (-3.0, +0.08, -1.0, -0.2),
    "androgynous": (-2.5, +0.06, 0.0, 0.0),
}
# What stands before a word says how much of it; "not" goes half as far the other way, and "not too
# low" is low, but little.
DEGREES = {
    "very slightly": 0.3,
    "a touch of": 0.4,
    "a touch": 0.4,
    "a hint of": 0.4,
    "slightly": 0.5,
    "a little": 0.5,
    "a bit": 0.5,
    "a bit of": 0.5,
    "somewhat": 0.7,
    "fairly": 0.8,
    "rather": 1.0,
    "quite": 1.2,
    "more": 1.0,
    "less": -0.7,
    "a lot of": 1.6,
    "a lot": 1.6,
    "much": 1.6,
    "very": 1.6,
    "really": 1.6,
    "extremely": 2.2,
    "not": -0.5,
    "not at all": -1.0,
    "not too": 0.3,
    "not very": 0.3,
    "not so": 0.3,
    "without": -0.7,
    "no": -0.7,
}
# Of women by age, as against 30. Signs: F0 falls with age, from the twenties on, Nishio & Niimi (2008),
# Folia Phoniatr Logop 60:120; after the menopause with more breath, D'haeseleer et al. (2011),
# Menopause 18:267; formants fall, Linville & Rens (2001), J Voice 15:323. Sizes are ours.
AGES: dict[int, Point] = {
    12: (+2.5, -0.09, +0.5, 0.0),
    20: (+1.0, -0.02, 0.0, 0.0),
    30: (0.0, 0.0, 0.0, 0.0),
    45: (-0.8, +0.01, 0.0, -0.1),
    60: (-2.0, +0.02, +0.8, -0.2),
    75: (-2.5, +0.03, +1.5, -0.3),
    99: (-2.5, +0.03, +2.0, -0.3),
}
# Words that say nothing by themselves.
FILLERS = frozenset(
    [
        "a",
        "about",
        "aged",
        "an",
        "and",
        "around",
        "at",
        "but",
        "female",
        "girl",
        "has",
        "her",
        "herself",
        "in",
        "is",
        "it",
        "lady",
        "like",
        "of",
        "or",
        "pitch",
        "pitched",
        "register",
        "she",
        "sound",
        "sounding",
        "sounds",
        "speaks",
        "that",
        "the",
        "to",
        "tone",
        "tract",
        "vocal",
        "voice",
        "voiced",
        "who",
        "with",
        "woman",
        "years",
        "year",
    ]
)

TENS = {
    name: 10 * (n + 2)
    for n, name in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    )
}
UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PARTS = {"early": 2, "mid": 5, "middle": 5, "late": 8}
_TENS, _PARTS = "|".join(TENS), "|".join(PARTS)
_DECADES = "|".join(f"{name[:-1]}ies" for name in TENS)
AGE = re.compile(
    rf"\b(?:in )?(?:her )?(?:(?P<part>{_PARTS}) )?(?:(?P<decade>{_DECADES})|(?P<tens>[1-9]0)s)\b"
    rf"|\b(?P<middle>middle aged)\b|\b(?P<teens>(?:in )?(?:her )?teens|teenage|teenaged)\b"
    rf"|\b(?P<number>\d{{1,3}}|(?:{_TENS})(?: (?:{'|'.join(UNITS)}))?)\b(?: years?)?(?: old\b)?"
)
LONGEST_PHRASE = 3
# How much of the way to the sides of the box a voice of her own may go, and a candidate from a voice.
OF_HER_OWN, NEARBY = 0.5, 0.25


@dataclass(frozen=True)
class Described:
    """What words say of a voice."""

    voice: Voice
    unknown: tuple[str, ...]
    """Those that say nothing that is known here."""


def design(words: str) -> Voice:
    """The voice that the words describe; a `UserWarning` names those that are not known.

    Raises
    ------
    SettingError
        ``unknown_words`` if none is known.
    """
    found = described(words)
    if found.unknown:
        warnings.warn(f"not known of a voice: {', '.join(found.unknown)}", stacklevel=2)
    return found.voice


def described(words: str) -> Described:
    """As `design`, with the unknown words for whoever wants to tell them.

    What the words move adds up, and stays within the box `DESIGN`.
    """
    text = re.sub(r"[-–_]", " ", words.casefold())
    told = [(match[0].strip(), _age(match)) for match in AGE.finditer(text)]
    ages = [age for _, age in told if min(AGES) <= age <= max(AGES)]
    moves = [_of_age(ages[-1])] if ages else []
    unknown = [what for what, age in told if age not in ages]
    for clause in re.split(r"[,;.:!?]|\band\b|\bbut\b", AGE.sub(",", text)):
        degree = 1.0
        for phrase in _phrases(clause):
            if phrase in DEGREES:
                degree *= DEGREES[phrase]
            elif (known := _stem(phrase)) is not None:
                moves.append(tuple(known[1] * degree * part for part in WORDS[known[0]]))
                degree = 1.0
            elif phrase not in FILLERS:
                unknown.append(phrase)
    if not moves:
        message = (
            f"words for a voice must hold at least one of {', '.join(WORDS)}, or an age from 12 to 99, "
            f"got {words!r}"
        )
        raise SettingError(message, code="unknown_words")
    sums = map(sum, zip(*moves, strict=True))
    return Described(_within(dict(zip(VOICE, sums, strict=True))), tuple(unknown))


def voice_of_her_own(seed: int) -> Voice:
    """For whom nobody described: anywhere within half of the box, the same for a seed."""
    return _within({n: OF_HER_OWN * DESIGN[n] * _share(f"{seed} voice {n}") for n in VOICE})


def candidates(voice: Voice, seed: int, number: int) -> list[Voice]:
    """The voice itself, and others near it: at most a quarter of the box's half sides away.

    The first ones are the same however many are asked for.
    """
    about = asdict(voice)
    others = (
        {n: about[n] + NEARBY * DESIGN[n] * _share(f"{seed} candidate {k} {n}") for n in VOICE}
        for k in range(1, number)
    )
    return [voice, *map(_within, others)][:number]


def _phrases(clause: str) -> Iterator[str]:
    """Words, and those that belong together as one."""
    words = re.findall(r"[^\W_]+(?:['’]\w+)?", clause)
    at = 0
    while at < len(words):
        for length in range(LONGEST_PHRASE, 0, -1):
            phrase = " ".join(words[at : at + length])
            if phrase in DEGREES or length == 1:
                yield phrase
                at += length
                break


def _stem(word: str) -> tuple[str, float] | None:
    """The word of the table that it is, and how much of it: huskier, thinnest, lowish."""
    for ending, degree in (("", 1.0), ("er", 1.0), ("est", 1.6), ("ish", 0.5)):
        if not word.endswith(ending):
            continue
        stem = word[: len(word) - len(ending)]
        undoubled = stem[:-1] if stem[-1:] == stem[-2:-1] else stem
        for form in (stem, f"{stem}e", re.sub("i$", "y", stem), undoubled):
            if form in WORDS:
                return form, degree
    return None


def _age(match: re.Match[str]) -> int:
    if match["middle"] or match["teens"]:
        return 50 if match["middle"] else 16
    if match["number"]:
        return _number(match["number"])
    tens = int(match["tens"] or TENS[f"{match['decade'][:-3]}y"])
    return tens + PARTS[match["part"] or "middle"]


def _number(text: str) -> int:
    if text.isdecimal():
        return int(text)
    tens, _, unit = text.partition(" ")
    return TENS[tens] + (UNITS.index(unit) + 1 if unit else 0)


def _of_age(age: int) -> tuple[float, ...]:
    """On the straight line between the two ages of the table that it lies between."""
    for (before, one), (after, other) in pairwise(AGES.items()):
        if age <= after:
            part = (age - before) / (after - before)
            return tuple(a + part * (b - a) for a, b in zip(one, other, strict=True))
    raise AssertionError("an age lies in the table")


def _share(what: str) -> float:
    """-1 to 1, from a hash: the same on every machine."""
    digest = blake2b(what.encode(), digest_size=8).digest()
    return float(int.from_bytes(digest, "big") / 2**63 - 1)


def _within(values: dict[str, float]) -> Voice:
    """The nearest voice in the box, to thousandths, which nobody hears."""
    return Voice(**{n: round(min(max(values[n], -most), most), 3) for n, most in DESIGN.items()})
