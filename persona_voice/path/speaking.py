"""Text through a source and the stream, sentence by sentence, as the samples come."""

import re
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from persona_voice.path.offline import converted
from persona_voice.path.stream import VoiceStream

Samples = npt.NDArray[np.float32]

# A source that hands over a sentence at once is still heard in pieces of this length.
BLOCK_SECONDS = 0.1
ABBREVIATIONS = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "no"})
# What ends a sentence, closing quotes with it, before a space; by itself in Chinese and Japanese.
END = re.compile(r"""[.!?…]+["'”’)\]]*(?=\s)|[。！？]+|\n\s*\n""")


class Speaks(Protocol):
    """What this module wants of a source."""

    def speak(self, text: str) -> Iterator[Samples]: ...


def sentences(text: str) -> list[str]:
    """The text cut after its sentences, without empty ones."""
    found, start = [], 0
    for end in END.finditer(text):
        if end[0][0] in ".!?…" and _goes_on(text[start : end.start()], text[end.end() :]):
            continue
        found.append(text[start : end.end()])
        start = end.end()
    found.append(text[start:])
    return [" ".join(sentence.split()) for sentence in found if any(map(str.isalnum, sentence))]


def _goes_on(before: str, after: str) -> bool:
    """Whether the sign belongs to an abbreviation, an initial or the middle of a sentence."""
    word = (before.split() or [""])[-1].strip("\"'“‘([").lower()
    initial = len(word) == 1 and word.isalpha() and word != "i"
    return word in ABBREVIATIONS or initial or after.lstrip()[:1].islower()


def spoken(source: Speaks, stream: VoiceStream, text: str) -> Iterator[Samples]:
    """The text in the persona's voice, from its first sample on.

    Parameters
    ----------
    source : Speaks
        At the stream's sample rate.
    stream : VoiceStream
        As new; is as new again after the last block.
    text : str

    Streaming
    ---------
    A block of the source comes out converted before the next is asked for. What the stream's
    latency puts before the first word is left out.
    """
    return converted(stream, _said(source, text, max(1, round(BLOCK_SECONDS * stream.sample_rate))))


def _said(source: Speaks, text: str, length: int) -> Iterator[Samples]:
    for sentence in sentences(text):
        for samples in source.speak(sentence):
            for at in range(0, len(samples), length):
                yield samples[at : at + length]
