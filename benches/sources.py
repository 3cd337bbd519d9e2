"""The fixed list of voices that the quality bench converts, and how to get their sound.

Real people come from the repository's recordings. Synthetic voices are those that training keeps
out (``HELD_OUT_*``), each with a sentence that training never saw, made when the bench runs.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile

from training.pairs import (
    HELD_OUT_ESPEAK,
    HELD_OUT_FLITE,
    HELD_OUT_KOKORO,
    Espeak,
    Kokoro,
    flite,
)
from training.synthesis import RATE

Samples = npt.NDArray[np.float32]

ROOT = Path(__file__).parent.parent
RECORDINGS = (
    ROOT / "persona_voice" / "assets" / "recordings",
    ROOT / "benches" / "data" / "recordings",
)
# Every source enters as from a sound card.
STREAM_RATE = 48_000
# Speech peaks here when an engine has made it: about the level of the recordings.
PEAK = 0.5

SENTENCES = (
    "The old lighthouse keeper climbed the stairs every evening to light the lamp.",
    "Please remember to close the kitchen window before the storm arrives tonight.",
    "Their daughter plays the violin beautifully, but she would rather be a doctor.",
    "Could you send the finished report to my office before lunch on Thursday?",
    "A thick fog covered the valley, and nobody could see the bridge from the road.",
    "We found a small bookshop near the station that sells maps and old postcards.",
    "My neighbor says that the garden needs more water during a long dry summer.",
    "The train to the city was late again because of heavy snow on the line.",
    "Fresh bread and coffee were waiting on the table when the children came down.",
)
# The first of these in other languages: by which voice of Kokoro's, by what espeak-ng calls it. The voices
# were in training, these sentences were not.
LANGUAGES = {
    "es": (
        "ef_dora",
        "es",
        "El viejo farero subía la escalera cada tarde para encender la lámpara.",
    ),
    "fr": (
        "ff_siwis",
        "fr",
        "Le vieux gardien du phare montait l'escalier chaque soir pour allumer la lampe.",
    ),
    "hi": ("hf_alpha", "hi", "बूढ़ा चौकीदार हर शाम दीपक जलाने के लिए सीढ़ियाँ चढ़ता था।"),
    "it": (
        "im_nicola",
        "it",
        "Il vecchio guardiano del faro saliva le scale ogni sera per accendere la lampada.",
    ),
    "pt": (
        "pm_alex",
        "pt-br",
        "O velho faroleiro subia a escada todas as noites para acender a lâmpada.",
    ),
}


@dataclass(frozen=True)
class Source:
    """A voice to convert: ``group`` is real, espeak-ng, flite, kokoro or languages."""

    name: str
    group: str
    language: str
    samples: Samples  # mono at `STREAM_RATE`
    said: str | None = None  # the text, of what an engine says


class UnavailableError(Exception):
    """A group of sources cannot be made here; the message says why."""


@dataclass(frozen=True)
class Engines:
    """The synthesisers, each started at its first use."""

    models: Path
    voices: Path

    @cached_property
    def espeak(self) -> Espeak:
        return Espeak()

    @cached_property
    def kokoro(self) -> Kokoro:
        return Kokoro(self.models, self.voices)


def gather(engines: Engines, *, quick: bool) -> tuple[list[Source], dict[str, str]]:
    """The sources, and for each group that is missing, why; `quick` takes every third."""
    makers = {
        "real": recordings,
        "espeak-ng": espeak,
        "flite": flite_voices,
        "kokoro": kokoro,
        "languages": languages,
    }
    sources: list[Source] = []
    skipped: dict[str, str] = {}
    for group, make in makers.items():
        try:
            found = list(make(engines))
        except UnavailableError as reason:
            skipped[group] = str(reason)
            continue
        sources += found[::3] if quick else found
    return sources, skipped


def recordings(_: Engines) -> Iterator[Source]:
    """Files ``NAME_LANGUAGE_SEX.flac``."""
    for folder in RECORDINGS:
        for file in sorted(folder.glob("*.flac")):
            samples, rate = soundfile.read(file, dtype="float32")
            yield Source(file.stem, "real", file.stem.split("_")[-2], at_rate(samples, rate))


def espeak(engines: Engines) -> Iterator[Source]:
    for variant, sentence in zip(HELD_OUT_ESPEAK, SENTENCES, strict=False):
        made = engines.espeak.speak(text=sentence, voice=f"en-us+{variant}", rate_wpm=160)
        yield synthetic(f"espeak_{variant}", "espeak-ng", made, sentence)


def flite_voices(_: Engines) -> Iterator[Source]:
    if shutil.which("flite") is None:
        raise UnavailableError("no program flite on this machine (Debian package flite)")
    for voice in HELD_OUT_FLITE:
        for number, sentence in enumerate(SENTENCES[5:7], start=1):
            made = flite(sentence, voice)
            yield synthetic(f"flite_{voice}_{number}", "flite", made, sentence)


def kokoro(engines: Engines) -> Iterator[Source]:
    for voice, sentence in zip(HELD_OUT_KOKORO, SENTENCES[2:], strict=False):
        yield by_kokoro(engines, f"kokoro_{voice}", "kokoro", voice, ("en", "en-us", sentence))


def languages(engines: Engines) -> Iterator[Source]:
    for language, (voice, spelled, sentence) in LANGUAGES.items():
        said = (language, spelled, sentence)
        yield by_kokoro(engines, f"kokoro_{language}_{voice}", "languages", voice, said)


def by_kokoro(
    engines: Engines, name: str, group: str, voice: str, said: tuple[str, str, str]
) -> Source:
    for file in (engines.models / "kokoro" / "kokoro-v1.0.int8.onnx", engines.voices):
        if not file.exists():
            raise UnavailableError(f"no file {file} (make train downloads it)")
    language, spelled, sentence = said
    ids = engines.kokoro.ids(engines.espeak.phonemes(sentence, spelled))
    style = engines.kokoro.packs[voice]
    made = engines.kokoro.speak(ids, style, style, speed=1.0)
    return synthetic(name, group, made, sentence, language)


def synthetic(
    name: str, group: str, samples: npt.NDArray[np.float32], said: str, language: str = "en"
) -> Source:
    level = PEAK / (float(np.abs(samples).max()) + 1e-9)
    return Source(name, group, language, at_rate(samples * np.float32(level), RATE), said)


def at_rate(samples: npt.NDArray[np.float32], rate: int, wanted: int = STREAM_RATE) -> Samples:
    if rate == wanted:
        return np.ascontiguousarray(samples, np.float32)
    shared = int(np.gcd(rate, wanted))
    resampled = scipy.signal.resample_poly(samples, wanted // shared, rate // shared)
    return np.ascontiguousarray(resampled, np.float32)
