"""The verifier beside Resemblyzer: who is told apart, on speakers whom its training never heard.

Every voice is cut into pieces of 3 s, and each piece compared with each, once as they are and once with
one of the two over a telephone: 300 to 3400 Hz, noise 20 dB below.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches import report
from benches.conditions import telephone
from benches.judges import Speaker, references
from benches.report import Result
from benches.sources import (
    PEAK,
    SENTENCES,
    STREAM_RATE,
    Engines,
    Samples,
    UnavailableError,
    at_rate,
    recordings,
)
from persona_voice.model.verifier import WEIGHTS, load_verifier
from training.models import VOICES
from training.pairs import HELD_OUT_ESPEAK, HELD_OUT_FLITE, HELD_OUT_KOKORO, flite
from training.synthesis import RATE
from training.trials import equal_error_rate

PIECE_S, SHORTEST_S = 3.0, 2.2
SENTENCES_EACH = 4
SEED = 20261123
PERSONA = "samantha"

Embeddings = npt.NDArray[np.float64]
Embed = Callable[[Samples], npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Piece:
    """Some 3 s of a speaker; ``group`` is real, persona, kokoro, espeak-ng or flite."""

    speaker: str
    group: str
    samples: Samples  # mono at `STREAM_RATE`


def pieces(engines: Engines) -> Iterator[Piece]:
    """Of all who can be had on this machine."""
    makers = (real, persona, kokoro, espeak, flite_voices)
    for make in makers:
        try:
            for speaker, group, samples in make(engines):
                for cut in cuts(samples):
                    yield Piece(speaker, group, cut)
        except (UnavailableError, FileNotFoundError) as reason:
            print(f"left out: {reason}")


def cuts(samples: Samples) -> Iterator[Samples]:
    length = int(PIECE_S * STREAM_RATE)
    for start in range(0, len(samples), length):
        cut = samples[start : start + length]
        if len(cut) >= SHORTEST_S * STREAM_RATE:
            yield cut


Voices = Iterator[tuple[str, str, Samples]]


def real(engines: Engines) -> Voices:
    """The people of the recordings: ``austen_2_en_m`` is the reader of ``austen_en_m``."""
    for source in recordings(engines):
        words = source.name.split("_")
        name = "_".join(words[:2]) if words[0] in ("arctic", "asterisk") else words[0]
        yield name, "real", source.samples


def persona(_: Engines) -> Voices:
    for samples in references():
        yield PERSONA, "persona", samples


def kokoro(engines: Engines) -> Voices:
    for voice in HELD_OUT_KOKORO:
        style = engines.kokoro.packs[voice]
        for sentence in SENTENCES[:SENTENCES_EACH]:
            ids = engines.kokoro.ids(engines.espeak.phonemes(sentence, "en-us"))
            yield voice, "kokoro", loud(engines.kokoro.speak(ids, style, style, speed=1.0))


def espeak(engines: Engines) -> Voices:
    for variant in HELD_OUT_ESPEAK:
        for sentence in SENTENCES[:SENTENCES_EACH]:
            made = engines.espeak.speak(text=sentence, voice=f"en-us+{variant}", rate_wpm=160)
            yield variant, "espeak-ng", loud(made)


def flite_voices(_: Engines) -> Voices:
    for voice in HELD_OUT_FLITE:
        for sentence in SENTENCES[:SENTENCES_EACH]:
            yield voice, "flite", loud(flite(sentence, voice))


def loud(samples: npt.NDArray[np.float32]) -> Samples:
    return at_rate(samples * np.float32(PEAK / float(np.abs(samples).max())), RATE)


def judged(every: list[Piece], clean: Embeddings, embed: Embed) -> Result:
    """Errors, as recorded (`clean`) and over the telephone, and how far the persona is from the others."""
    rng = np.random.default_rng(SEED)
    over_line = np.array([embed(telephone(piece.samples, rng)) for piece in every], np.float64)
    groups = {
        "real": {"real"},
        "kokoro, persona": {"kokoro", "persona"},
        "espeak-ng, flite": {"espeak-ng", "flite"},
        "all": {piece.group for piece in every},
    }
    figures: Result = {}
    for name, wanted in groups.items():
        chosen = [n for n, piece in enumerate(every) if piece.group in wanted]
        same, different = trials(every, chosen, clean, clean)
        same_line, different_line = trials(every, chosen, clean, over_line)
        figures[name] = {
            "same": len(same),
            "different": len(different),
            "equal_error_rate": equal_error_rate(same, different),
            "equal_error_rate_telephone": equal_error_rate(same_line, different_line),
            "same_5_percent": float(np.percentile(same, 5)),
            "same_5_percent_telephone": float(np.percentile(same_line, 5)),
        }
    return {"groups": figures, "persona": persona_margin(every, clean)}


def trials(
    every: list[Piece], chosen: list[int], one: Embeddings, other: Embeddings
) -> tuple[list[float], list[float]]:
    """Similarities of all pairs of pieces, by one speaker and by two."""
    same: list[float] = []
    different: list[float] = []
    for a, b in itertools.combinations(chosen, 2):
        kept = same if every[a].speaker == every[b].speaker else different
        kept.append(float(one[a] @ other[b]))
    return same, different


def persona_margin(every: list[Piece], clean: Embeddings) -> Result:
    """Each piece to the mean of the persona's, one of her own to that of her others."""
    hers = [n for n, piece in enumerate(every) if piece.speaker == PERSONA]
    total = clean[hers].sum(axis=0)
    own = [cosine(clean[n], total - clean[n]) for n in hers]
    others: dict[str, float] = {}
    for piece, embedding in zip(every, clean, strict=True):
        if piece.speaker != PERSONA:
            name = f"{piece.group} {piece.speaker}"
            others[name] = max(others.get(name, -1.0), cosine(embedding, total))
    nearest = max(others, key=others.__getitem__)
    return {
        "own_lowest": min(own),
        "other_highest": others[nearest],
        "nearest": nearest,
        "others": others,
    }


def cosine(one: Embeddings, other: Embeddings) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="a verifier's weights")
    parser.add_argument(
        "--models", type=Path, default=Path.home() / ".cache" / "persona-voice" / "models"
    )


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    verifier, resemblyzer = load_verifier(options.weights), Speaker()
    every = list(pieces(Engines(options.models, VOICES)))
    seconds = sum(len(piece.samples) for piece in every) / STREAM_RATE
    judges: dict[str, Embed] = {
        "ours": lambda samples: verifier.embed(samples, STREAM_RATE),
        "resemblyzer": resemblyzer.embed,
    }
    figures: Result = {"same_speaker": verifier.same_speaker, "pieces": len(every)}
    for name, embed in judges.items():
        started = time.perf_counter()
        clean = np.array([embed(piece.samples) for piece in every], np.float64)
        pace = (time.perf_counter() - started) / seconds * 1000
        figures[name] = judged(every, clean, embed) | {"ms_per_s": pace}
        if name == "ours":
            figures["inside"] = inside(every, clean, verifier.same_speaker)
    show(figures)
    held: Result = {"seed": SEED, "piece_s": PIECE_S, "weights": str(options.weights)}
    result = report.circumstances("verifier", held) | {"figures": figures}
    report.write(result, options.json)


def inside(every: list[Piece], clean: Embeddings, band: float) -> Result:
    """The part of all pairs, as recorded, that lies in the same-speaker band."""
    same, different = trials(every, list(range(len(every))), clean, clean)
    return {
        "same": float(np.mean(np.array(same) > band)),
        "different": float(np.mean(np.array(different) > band)),
    }


def show(figures: Result) -> None:
    print(f"{'equal error rate, %':34}{'ours':>8}{'telephone':>12}", end="")
    print(f"{'Resemblyzer':>14}{'telephone':>12}")
    for group, ours in figures["ours"]["groups"].items():
        theirs = figures["resemblyzer"]["groups"][group]
        print(
            f"{group + ' (' + str(ours['same']) + ' + ' + str(ours['different']) + ')':34}", end=""
        )
        for figure, width in ((ours, 8), (theirs, 14)):
            print(f"{100 * figure['equal_error_rate']:{width}.1f}", end="")
            print(f"{100 * figure['equal_error_rate_telephone']:12.1f}", end="")
        print()
    for name in ("ours", "resemblyzer"):
        hers = figures[name]["persona"]
        print(
            f"{name}: the persona's own pieces {hers['own_lowest']:.3f} and up, of others "
            f"{hers['nearest']} {hers['other_highest']:.3f}; {figures[name]['ms_per_s']:.1f} ms a second"
        )
    print(
        f"same speaker above {figures['same_speaker']:.3f}: {100 * figures['inside']['same']:.1f} % of "
        f"one speaker's pairs, {100 * figures['inside']['different']:.1f} % of two speakers'"
    )
