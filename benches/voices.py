"""Designed voices, measured: clear, each like itself whoever speaks, and unlike the others.

Every second recording is converted in the voice of the weights, at both ends of each direction, and at
corners of the box that all voices lie in, drawn by a seed: the worst that design can choose.
"""

import argparse
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from benches import report
from benches.judges import Speaker, Words, dnsmos, f0_contour, words_changed
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, recordings
from persona_voice.build import convert
from persona_voice.persona.persona import load_persona
from persona_voice.persona.voice import DESIGN, Voice

SECONDS = 10
CORNERS = 6
SEED = 1


def voices() -> dict[str, Voice]:
    """By name; the first is that of the weights."""
    found = {"the weights'": Voice()}
    for name, most in DESIGN.items():
        for end in (-most, most):
            found[f"{name} {end:+.2f}"] = Voice(**{name: end})
    rng = np.random.default_rng(SEED)
    for _ in range(CORNERS):
        corner = Voice(**{name: float(most * rng.choice([-1, 1])) for name, most in DESIGN.items()})
        found["corner " + " ".join(f"{getattr(corner, n):+.2f}" for n in DESIGN)] = corner
    return found


class Heard:
    """One voice, speaking all of the sounds."""

    def __init__(self, made: list[Samples], languages: list[str], speaker: Speaker, words: Words):
        self.words = [words.read(of, lang) for of, lang in zip(made, languages, strict=True)]
        self.embeddings = np.array([speaker.embed(of) for of in made])
        self.dnsmos = float(np.mean([dnsmos(of) for of in made]))
        self.f0 = [np.median(f0[f0 > 0]) for f0 in map(f0_contour, made)]

    def against(self, first: "Heard", spoken: list[str]) -> Result:
        changed = [words_changed(a, b) for a, b in zip(spoken, self.words, strict=True)]
        pairs = list(combinations(range(len(self.embeddings)), 2))
        itself = [self.embeddings[a] @ self.embeddings[b] for a, b in pairs]
        other = [self.embeddings[a] @ first.embeddings[b] for a, b in pairs]
        moved = 12 * np.log2(np.array(self.f0) / np.array(first.f0))
        return {
            "words_changed": round(float(np.mean([of for of in changed if of is not None])), 3),
            "dnsmos": round(self.dnsmos, 2),
            "f0_moved_semitones": round(float(np.mean(moved)), 2),
            "similarity_to_itself": round(float(np.mean(itself)), 3),
            "similarity_to_the_weights": round(float(np.mean(other)), 3),
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    report.add_json_and_models(parser)


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    sources = list(recordings(Engines(options.models, Path())))[::2]
    sounds = [of.samples[: SECONDS * STREAM_RATE] for of in sources]
    languages = [of.language for of in sources]
    speaker, words = Speaker(), Words(options.models)
    spoken = [words.read(of, lang) for of, lang in zip(sounds, languages, strict=True)]
    samantha, first = load_persona("samantha"), None
    found: Result = {}
    for name, voice in voices().items():
        persona = replace(samantha, voice=voice)
        made = [convert(of, persona, sample_rate=STREAM_RATE, mode="live") for of in sounds]
        heard = Heard([of for of in made if of is not None], languages, speaker, words)
        first = first or heard
        found[name] = heard.against(first, spoken)
        print(f"{name:32} {found[name]}", flush=True)
    result = report.circumstances("voices", {"recordings": len(sounds), "seconds": SECONDS})
    report.write(result | {"voices": found}, options.json)
