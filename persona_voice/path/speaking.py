"""Text through a source and the stream, sentence by sentence, as the samples come."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from persona_voice.path.markup import Mark, Pause, Script, Words, read_script
from persona_voice.path.offline import converted
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.limits import on_top, within_turn
from persona_voice.persona.state import Manner

Samples = npt.NDArray[np.float32]

# A source that hands over a sentence at once is still heard in pieces of this length.
BLOCK_SECONDS = 0.1
# What is quieter than this part of a sentence's loudest sample, before and after, is not its words.
QUIET = 0.02
ABBREVIATIONS = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "no"})
# What ends a sentence, closing quotes with it, before a space; by itself in Chinese and Japanese.
END = re.compile(r"""[.!?…]+["'”’)\]]*(?=\s)|[。！？]+|\n\s*\n""")
NEXT = re.compile(r"\s*\S")


class Speaks(Protocol):
    """What this module wants of a source."""

    def speak(self, text: str, rate: float = 1.0) -> Iterator[Samples]: ...


@dataclass(frozen=True)
class Sentence:
    """What a source is asked to say at once: words, each in a manner, and marks between them."""

    parts: tuple[Words | Mark, ...]

    @property
    def text(self) -> str:
        return " ".join("".join(of.text for of in self.parts if isinstance(of, Words)).split())


@dataclass
class Saying:
    """A script on its way: `marks` fills as it is said, with names and samples from the start."""

    script: Script
    marks: list[tuple[str, int]] = field(default_factory=list)


def sentences(text: str) -> list[str]:
    """The text cut after its sentences, without empty ones, and without tags."""
    parts = cut(read_script(text))
    return [of.text for of in parts if isinstance(of, Sentence) and _has_words(of.text)]


def cut(script: Script) -> list[Sentence | Pause]:
    """Sentences and the pauses between them, in order."""
    done: list[Sentence | Pause] = []
    run: list[Words | Mark] = []
    for part in script.parts:
        if isinstance(part, Pause):
            done += [*_cut_run(run), part]
            run = []
        else:
            run.append(part)
    return done + _cut_run(run)


def _cut_run(run: list[Words | Mark]) -> list[Sentence | Pause]:
    """Words and marks without a pause between, cut where their text as a whole has sentences end."""
    text = "".join(of.text for of in run if isinstance(of, Words))
    cuts = [len(text), *reversed(_ends(text))]  # the next one last
    done: list[Sentence | Pause] = []
    parts: list[Words | Mark] = []
    at = 0
    for part in run:
        if isinstance(part, Mark):
            parts.append(part)
            continue
        start, at = at, at + len(part.text)
        while cuts and cuts[-1] <= at:
            head = text[start : cuts[-1]]
            start = cuts.pop()
            done.append(Sentence((*parts, Words(head, part.manner))))
            parts = []
        parts.append(Words(text[start:at], part.manner))
    return [*done, Sentence(tuple(parts))]


def _ends(text: str) -> list[int]:
    """Where sentences end."""
    found, start = [], 0
    for end in END.finditer(text):
        if end[0][0] in ".!?…" and _goes_on(text, start, end):
            continue
        start = end.end()
        found.append(start)
    return found


def _has_words(text: str) -> bool:
    return any(map(str.isalnum, text))


def _goes_on(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether the sign belongs to an abbreviation, an initial or the middle of a sentence."""
    word = (text[start : end.start()].split() or [""])[-1].strip("\"'“‘([").lower()
    initial = len(word) == 1 and word.isalpha() and word != "i"
    after = NEXT.match(text, end.end())
    return word in ABBREVIATIONS or initial or (after is not None and after[0].islower())


def spoken(source: Speaks, stream: VoiceStream, text: str | Saying) -> Iterator[Samples]:
    """The text in the persona's voice, from its first sample on.

    Parameters
    ----------
    source : Speaks
        At the stream's sample rate.
    stream : VoiceStream
        As new; is as new again after the last block.
    text : str or Saying
        With tags or without (`persona_voice.path.markup`).

    Streaming
    ---------
    A block of the source comes out converted before the next is asked for; only of a sentence with a
    mark or a change of manner in it, all is asked for first. What the stream's latency puts before the
    first word is left out.
    """
    saying = Saying(read_script(text)) if isinstance(text, str) else text
    return converted(stream, _Speaker(source, stream, saying).blocks())


class _Speaker:
    """Asks the source for one sentence after the other, and tells the stream how to say it."""

    def __init__(self, source: Speaks, stream: VoiceStream, saying: Saying) -> None:
        self._source, self._stream, self._saying = source, stream, saying
        self._length = max(1, round(BLOCK_SECONDS * stream.sample_rate))
        self._done = 0
        self._manner = Manner()

    def blocks(self) -> Iterator[Samples]:
        for part in cut(self._saying.script):
            if isinstance(part, Pause):
                silence = round(part.seconds * self._stream.sample_rate)
                yield from self._cut(np.zeros(silence, np.float32))
            elif not _has_words(part.text):
                for of in part.parts:
                    self._come_to(of)
            elif _is_simple(part):
                self._express(_said(part)[0].manner)
                for samples in self._source.speak(part.text, self._rate(part)):
                    yield from self._cut(samples)
            else:
                yield from self._in_parts(part)

    def _in_parts(self, sentence: Sentence) -> Iterator[Samples]:
        """The source does not say which word is where: each is taken to last as its letters."""
        pieces = [np.zeros(0, np.float32), *self._source.speak(sentence.text, self._rate(sentence))]
        whole = np.concatenate(pieces)
        loud = np.flatnonzero(np.abs(whole) > QUIET * np.abs(whole).max(initial=0.0))
        first, last = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(whole))
        at = 0
        for part, share in zip(sentence.parts, _shares(sentence), strict=True):
            start = first + round(share * (last - first))
            yield from self._cut(whole[at:start])
            at = start
            self._come_to(part)
        yield from self._cut(whole[at:])

    def _rate(self, sentence: Sentence) -> float:
        """How fast it is said as a whole: a source speaks a sentence at one rate."""
        octaves = self._stream.manner.rate_octaves + _rate_octaves(sentence)
        return float(2 ** within_turn(Manner(rate_octaves=octaves)).rate_octaves)

    def _come_to(self, part: Words | Mark) -> None:
        if isinstance(part, Mark):
            self._saying.marks.append((part.name, self._done))
        elif _has_words(part.text):
            self._express(part.manner)

    def _express(self, manner: Manner) -> None:
        if manner != self._manner:
            self._stream.express(on_top(self._stream.manner, manner), half_life_s=None)
            self._manner = manner

    def _cut(self, samples: Samples) -> Iterator[Samples]:
        for at in range(0, len(samples), self._length):
            block = samples[at : at + self._length]
            self._done += len(block)
            yield block


def _said(sentence: Sentence) -> list[Words]:
    return [of for of in sentence.parts if isinstance(of, Words) and _has_words(of.text)]


def _rate_octaves(sentence: Sentence) -> float:
    words = _said(sentence)
    letters = [len(of.text) for of in words]
    octaves = [of.manner.rate_octaves * n for of, n in zip(words, letters, strict=True)]
    return sum(octaves) / sum(letters)


def _is_simple(sentence: Sentence) -> bool:
    one_manner = len({of.manner for of in _said(sentence)}) == 1
    return one_manner and not any(isinstance(of, Mark) for of in sentence.parts)


def _shares(sentence: Sentence) -> list[float]:
    """Where each part begins, by the letters before it, from 0 to 1."""
    letters = [
        sum(map(str.isalnum, of.text)) if isinstance(of, Words) else 0 for of in sentence.parts
    ]
    whole = max(1, sum(letters))
    return [sum(letters[:n]) / whole for n in range(len(letters))]
