"""Enrolment measured: how near the voice comes, what it costs in words, and whether the right people are let in.

The people are synthetic voices that training never heard: nobody has to be asked. Each reads some minutes, is
enrolled, and then the bench's real recordings are converted in the voice that comes of it.
"""

import argparse
import datetime as dt
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benches import report
from benches.judges import OtherSpeaker, Speaker, Words, centre, dnsmos, words_changed
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, Source, at_rate, recordings
from persona_voice import _core
from persona_voice.build import convert, weights_folder
from persona_voice.enrolment import CLEARLY, nearness_to_phrase
from persona_voice.model.adaptation import adapt
from persona_voice.model.torch_converter import network_of
from persona_voice.model.verifier import load_verifier, similarity
from persona_voice.model.weights import read_weights, save_weights
from persona_voice.persona.consent import LAST_WORDS, WORDS, asked_of
from persona_voice.persona.persona import Persona, load_persona
from training import text
from training.models import VOICES
from training.pairs import HELD_OUT_KOKORO
from training.synthesis import RATE

SEED = 99
SENTENCES, KEPT_ASIDE = 26, 6
SECONDS = 10
MODE = "studio"
DAY = dt.date(2026, 11, 30)


class Person(NamedTuple):
    """Somebody who can be enrolled, at 24 kHz."""

    name: str
    learnt: list[Samples]
    kept: list[Samples]
    phrase: str
    says_it: Samples
    says_other: Samples


def people(engines: Engines) -> list[Person]:
    found = []
    for name in HELD_OUT_KOKORO:
        pack = engines.kokoro.packs[name]

        def say(
            words: str, language: str = "en-us", pack: npt.NDArray[np.float32] = pack
        ) -> Samples:
            ids = engines.kokoro.ids(engines.espeak.phonemes(words, language))
            return engines.kokoro.speak(ids, pack, pack, 1.0)

        read: list[Samples] = []
        for number in range(SENTENCES):
            language, words = text.sentence(np.random.default_rng([SEED, number]))
            read.append(say(words, text.LANGUAGES[language][1]))
        agreed = asked_of("Robin Example", "a test of this program", DAY).phrase
        ends = random.Random(name).sample(WORDS, LAST_WORDS)
        other = " ".join([*agreed.split()[:-LAST_WORDS], *ends])
        learnt, kept = read[:-KEPT_ASIDE], read[-KEPT_ASIDE:]
        found.append(Person(name, learnt, kept, agreed, say(agreed), say(other)))
    return found


class Judges:
    def __init__(self, models: Path, sources: list[Source]) -> None:
        self.speakers: dict[str, Speaker | OtherSpeaker] = {
            "similarity": Speaker(),
            "by_our_verifier": OtherSpeaker(),
        }
        self.words = Words(models)
        self.sources = [(of.samples[: SECONDS * STREAM_RATE], of.language) for of in sources]
        self.read = [self.words.read(of, language) for of, language in self.sources]

    def learnt(self, person: Person) -> dict[str, npt.NDArray[np.float64]]:
        """Who is heard in what was learnt from, by each judge of speakers."""
        sounds = [at_rate(of, RATE, STREAM_RATE) for of in person.learnt]
        return {name: centre(map(judge.embed, sounds)) for name, judge in self.speakers.items()}

    def voice(
        self, persona: Persona, weights: Path, own: dict[str, npt.NDArray[np.float64]]
    ) -> Result:
        found: dict[str, list[float]] = {}
        for (samples, language), read in zip(self.sources, self.read, strict=True):
            made = convert(samples, persona, sample_rate=STREAM_RATE, mode=MODE, weights=weights)
            assert made is not None
            for name, judge in self.speakers.items():
                embedding = judge.embed(made)
                if embedding is not None:
                    found.setdefault(name, []).append(float(embedding @ own[name]))
            changed = words_changed(read, self.words.read(made, language))
            if changed is not None:
                found.setdefault("words_changed", []).append(changed)
            found.setdefault("dnsmos", []).append(dnsmos(made))
        result: Result = {name: round(float(np.mean(of)), 3) for name, of in found.items()}
        return result | {"worst_similarity": round(min(found["similarity"]), 3)}

    def ceiling(self, person: Person, own: npt.NDArray[np.float64]) -> float:
        judge = self.speakers["similarity"]
        kept = [judge.embed(at_rate(of, RATE, STREAM_RATE)) for of in person.kept]
        return round(float(np.mean([of @ own for of in kept if of is not None])), 3)


def let_in(everybody: list[Person]) -> Result:
    """Who says the right phrase of a consent, and who is taken for whom."""
    network = network_of(read_weights(weights_folder() / "converter.safetensors"))
    judge = load_verifier()
    right = [nearness_to_phrase(network, of.phrase, "en-us", of.says_it) for of in everybody]
    wrong = [nearness_to_phrase(network, of.phrase, "en-us", of.says_other) for of in everybody]
    said = [judge.embed(of.says_it, _core.RATE) for of in everybody]
    centres = [centre([judge.embed(each, _core.RATE) for each in of.learnt]) for of in everybody]
    like = np.array([[similarity(one, np.float32(other)) for other in centres] for one in said])
    same = np.eye(len(everybody), dtype=bool)
    return {
        "phrase_of_others_at_least": CLEARLY,
        "right_phrase_farthest": round(max(right), 3),
        "other_ending_nearest": round(min(wrong), 3),
        "same_speaker": round(judge.same_speaker, 3),
        "same_least_similar": round(float(like[same].min()), 3),
        "another_most_similar": round(float(like[~same].max()), 3),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    report.add_json_and_models(parser)


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    engines = Engines(options.models, VOICES)
    everybody = people(engines)
    judges = Judges(options.models, list(recordings(engines)))
    samantha = load_persona()
    began_with = weights_folder() / samantha.weights
    figures: Result = {"let_in": let_in(everybody)}
    print(figures["let_in"], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for person in everybody:
            began = time.perf_counter()
            adapted = adapt(read_weights(began_with), person.learnt)
            took = time.perf_counter() - began
            file = Path(folder) / f"{person.name}.safetensors"
            save_weights(adapted.weights, file, {})
            persona = replace(samantha, register_hz=adapted.register_hz)
            own = judges.learnt(person)
            seconds = sum(map(len, person.learnt)) / RATE
            figures[person.name] = {
                "learnt_from_s": round(seconds, 1),
                "fitted_in_s": round(took, 2),
                "own_similarity": judges.ceiling(person, own["similarity"]),
                "before": judges.voice(persona, began_with, own),
                "after": judges.voice(persona, file, own),
            }
            print(person.name, figures[person.name], flush=True)
    settings = {"seed": SEED, "mode": MODE, "seconds": SECONDS, "sentences": SENTENCES - KEPT_ASIDE}
    report.write(report.circumstances("enrol", settings) | {"figures": figures}, options.json)
