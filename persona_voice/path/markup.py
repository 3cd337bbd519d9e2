"""Text with marks in it: what is said how, and where she pauses.

Understood are SSML's ``speak p s sub break emphasis prosody mark`` (pitch, range, rate and volume) and
``<expr type=... label=...>`` as language models write it. All other tags are dropped and never
spoken; what lies between them is said.
"""

import html
import re
from dataclasses import dataclass, field
from math import log2
from typing import TypeVar

from persona_voice.persona.limits import BUDGETS, within_turn
from persona_voice.persona.mood import MOODS, plus, times
from persona_voice.persona.state import Manner

NAME = r"[A-Za-z][\w:.-]*"
VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s<>"']+)"""
TAG = re.compile(rf"<(/?)({NAME})((?:\s+{NAME}\s*=\s*{VALUE})*)\s*(/?)>")
ATTRIBUTE = re.compile(rf"({NAME})\s*=\s*({VALUE})")
COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->|<[!?](?!--)[^<>]*>", re.DOTALL)
# What is not as it should be: a tag with something odd in it, or cut off after an attribute, or a
# comment without an end. As little as may be: what follows are words.
BROKEN = re.compile(
    rf"<!--|</?[A-Za-z][^<>]*>|</?{NAME}(?:\s+{NAME}\s*=\s*(?:{VALUE}|[\"'][^\s<>]*))+"
)
SUB_ENDS = re.compile(r"</sub\b", re.IGNORECASE)
ANY = re.compile(rf"{TAG.pattern}|{COMMENT.pattern}|{BROKEN.pattern}", re.DOTALL)

# The most that a turn may differ by, upwards; what is asked for beyond it, either way, is held within.
TURN = Manner(**{name: budget.turn[1] for name, budget in BUDGETS.items()})
# SSML's breaks by strength, in seconds; its words for pitch, range and volume, as parts of what a turn
# may differ by.
BREAKS_S = {
    "none": 0.0,
    "x-weak": 0.1,
    "weak": 0.2,
    "medium": 0.4,
    "strong": 0.7,
    "x-strong": 1.2,
}
MAX_BREAK_S = 10.0
STEPS = {"x-low": -1.0, "low": -0.5, "medium": 0.0, "default": 0.0, "high": 0.5, "x-high": 1.0}
RATES = {"x-slow": -1.0, "slow": -0.5, "medium": 0.0, "default": 0.0, "fast": 0.5, "x-fast": 1.0}
VOLUMES = {"x-soft": -1.0, "soft": -0.5, "medium": 0.0, "default": 0.0, "loud": 0.5, "x-loud": 1.0}
EMPHASIS = {"strong": 1.0, "moderate": 0.6, "none": 0.0, "reduced": -0.5}
STRESSED = Manner(register_semitones=1.2, range_octaves=log2(1.2), level_db=2.0, tilt_db=0.5)
# What `<expr type="prosody">` may ask for and a stream can do.
ASKED = {
    "emphasis": STRESSED,
    "whisper": Manner(
        range_octaves=-TURN.range_octaves, level_db=-3.0, breath_db=3.0, tilt_db=-1.0
    ),
    "soft": Manner(level_db=-2.0, breath_db=1.0, tilt_db=-0.5),
    "loud": Manner(level_db=3.0, breath_db=-1.0, tilt_db=0.8),
    "higher-pitch": Manner(register_semitones=1.2),
    "lower-pitch": Manner(register_semitones=-1.2),
    "slow": Manner(rate_octaves=-TURN.rate_octaves),
    "fast": Manner(rate_octaves=TURN.rate_octaves),
    "sing-song": Manner(register_semitones=0.5, range_octaves=TURN.range_octaves),
}
Known = TypeVar("Known", float, Manner)
# Between these lies a sentence of its own.
SENTENCES = frozenset({"speak", "p", "s", "paragraph", "sentence"})


@dataclass(frozen=True)
class Words:
    """Text said in one manner."""

    text: str
    manner: Manner


@dataclass(frozen=True)
class Pause:
    """The end of a sentence, whatever its signs, and silence after it."""

    seconds: float


@dataclass(frozen=True)
class Mark:
    """A place in the text whose moment somebody wants to know."""

    name: str


@dataclass
class Script:
    """A text as it is to be said; `problems` are tags that could not be followed."""

    parts: list[Words | Pause | Mark] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_script(text: str, mood: Manner = MOODS["neutral"]) -> Script:
    """Reads a text with or without tags; whatever stands in it, its words are kept."""
    return _Reader(mood).read(text)


class _Reader:
    def __init__(self, mood: Manner) -> None:
        self.script = Script()
        self._mood = mood
        # Elements that are open, each with what all to it add to the manner and the words that it says
        # instead.
        self._open: list[tuple[str, Manner, str | None]] = []
        self._subs_end = 0  # where the last <sub> is closed: one that opens later hides nothing

    def read(self, text: str) -> Script:
        at = 0
        self._subs_end = max((end.start() for end in SUB_ENDS.finditer(text)), default=0)
        for found in ANY.finditer(text):
            self._words(text[at : found.start()])
            at = found.end()
            if tag := TAG.fullmatch(text, found.start(), at):
                self._tag(tag)
            elif not COMMENT.fullmatch(found[0]):
                rule = 'a tag must look like <name key="value">, and a comment like <!-- so -->'
                self._problem(f"{rule}, got {found[0]!r}")
        self._words(text[at:])
        for name, _, _ in self._open:
            if name not in SENTENCES:
                self._problem(f"<{name}> must be closed")
        return self.script

    def _words(self, text: str) -> None:
        instead = next((said for _, _, said in reversed(self._open) if said is not None), None)
        if instead is None and text:
            self._say(html.unescape(text))

    def _say(self, text: str) -> None:
        manner = plus(self._mood, self._asked())
        if any(name == "expr:spell" for name, _, _ in self._open):
            text = " ".join(text.replace(" ", ""))
        self.script.parts.append(Words(text, within_turn(manner)))

    def _asked(self) -> Manner:
        return self._open[-1][1] if self._open else Manner()

    def _problem(self, what: str) -> None:
        self.script.problems.append(what)

    def _tag(self, tag: re.Match[str]) -> None:
        name = tag[2].lower()
        values = {
            key.lower(): html.unescape(value[1:-1] if value[0] in "\"'" else value)
            for key, value in ATTRIBUTE.findall(tag[3])
        }
        if name in SENTENCES:
            self.script.parts.append(Pause(0.0))
        if tag[1]:
            self._close(name)
        elif name == "break":
            self._pause(values.get("time", ""), values.get("strength"))
        elif name == "mark":
            self.script.parts.append(Mark(values.get("name", "")))
        elif name == "expr":
            self._expr(values, alone=bool(tag[4]))
        elif not tag[4]:
            instead = values.get("alias") if name == "sub" and tag.end() <= self._subs_end else None
            self._open.append((name, plus(self._asked(), self._more(name, values)), instead))
            if instead is not None:
                self._say(instead)

    def _close(self, name: str) -> None:
        for place in reversed(range(len(self._open))):
            if self._open[place][0].split(":")[0] == name:
                del self._open[place:]
                return
        if name not in {"break", "mark"}:
            self._problem(f"</{name}> must close something")

    def _expr(self, values: dict[str, str], *, alone: bool) -> None:
        kind, label = values.get("type", ""), values.get("label", "").lower()
        if kind == "break":
            self._pause(label, None)
            return
        manner = Manner()
        if kind in {"expression", "mood", "emotion"}:
            manner = self._known("label", label, MOODS, manner)
            if alone:
                self._mood = manner
        elif kind == "prosody":
            manner = self._known("label", label, ASKED, manner)
        if not alone:
            self._open.append((f"expr:{kind}", plus(self._asked(), manner), None))

    def _more(self, name: str, values: dict[str, str]) -> Manner:
        if name == "emphasis":
            level = values.get("level", "moderate")
            return times(STRESSED, self._known("level", level, EMPHASIS, EMPHASIS["moderate"]))
        if name != "prosody":
            return Manner()
        return Manner(
            register_semitones=self._change(values, "pitch", STEPS, TURN.register_semitones),
            range_octaves=self._change(values, "range", STEPS, TURN.range_octaves),
            rate_octaves=self._change(values, "rate", RATES, TURN.rate_octaves),
            level_db=self._change(values, "volume", VOLUMES, TURN.level_db),
        )

    def _change(
        self, values: dict[str, str], key: str, names: dict[str, float], most: float
    ) -> float:
        """As SSML writes a change: a word for it, or a number with a unit; 0 for what is none."""
        text = values.get(key, "medium").strip().lower()
        if text in names:
            return names[text] * most
        if match := re.fullmatch(r"([+-]?\d{1,9}(?:\.\d+)?)(%|st|db)", text):
            number, unit = float(match[1]), match[2]
            if (unit == "st" and key == "pitch") or (unit == "db" and key == "volume"):
                return number
            # A rate without a sign is the whole of it, as SSML has it.
            times = number / 100 + (key != "rate" or match[1][0] in "+-")
            if unit == "%" and times > 0:
                return {"pitch": 12, "range": 1, "rate": 1, "volume": 6.02}[key] * log2(times)
        self._problem(
            f"{key} must be one of {', '.join(names)} or a change such as +10%, got {text!r}"
        )
        return 0.0

    def _known(self, key: str, word: str, words: dict[str, Known], otherwise: Known) -> Known:
        if word not in words:
            self._problem(f"{key} must be one of {', '.join(words)}, got {word!r}")
        return words.get(word, otherwise)

    def _pause(self, time: str, strength: str | None) -> None:
        match = re.fullmatch(r"\+?(\d+(?:\.\d+)?)(ms|s)", time.strip().lower())
        if match:
            seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
        elif time:
            self._problem(f"a break's time must be such as 500ms or 1.5s, got {time!r}")
            seconds = BREAKS_S["medium"]
        else:
            medium = BREAKS_S["medium"]
            seconds = self._known("strength", strength or "medium", BREAKS_S, medium)
        if strength == "none" and not time:
            return  # it is there to say that none is
        self.script.parts.append(Pause(min(seconds, MAX_BREAK_S)))
