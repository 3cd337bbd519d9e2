"""Copy synthesis: natural speech taken apart into F0 and envelopes, and sounded again; ours and WORLD, at 24 kHz.

Ours is `F0Tracker`, `Envelopes` and `Vocoder`, as a stream, hop by hop; WORLD has the whole sound at once.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches import report
from benches.judges import Words, dnsmos, words_changed
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Source, at_rate, recordings
from persona_voice import _core

Samples = npt.NDArray[np.float32]
Copy = Callable[[Samples], tuple[Samples, float]]
LONGEST_S = 12.0
# The vocoder's noise.
SEED = 1


def ours(x: Samples) -> tuple[Samples, float]:
    """The copy, where the sound was, and the processor time that it took."""
    hop = _core.HOP
    tracker, envelopes, vocoder = _core.F0Tracker(), _core.Envelopes(), _core.Vocoder(SEED)
    # A hop stands for a moment so long ago, and is sounded from the moment before it on.
    late = envelopes.lookahead + vocoder.latency
    hops = np.pad(x, (0, late + hop - (len(x) + late) % hop)).reshape(-1, hop)
    parts = []
    begin = time.thread_time()
    for block in hops:
        f0 = tracker.process(block)[:, :1]
        row = np.concatenate([block[None, :], f0], axis=1)
        parts.append(vocoder.process(envelopes.process(row)))
    took = time.thread_time() - begin
    return np.concatenate(parts)[late : late + len(x)], took


def world(f0_of: str) -> Copy:
    import pyworld

    def copy(samples: Samples) -> tuple[Samples, float]:
        x = samples.astype(np.float64)
        begin = time.thread_time()
        if f0_of == "harvest":
            f0, t = pyworld.harvest(x, _core.RATE)
        else:
            f0, t = pyworld.dio(x, _core.RATE)
            f0 = pyworld.stonemask(x, f0, t, _core.RATE)
        envelope = pyworld.cheaptrick(x, f0, t, _core.RATE)
        noise = pyworld.d4c(x, f0, t, _core.RATE)
        made = pyworld.synthesize(f0, envelope, noise, _core.RATE)
        took = time.thread_time() - begin
        return np.asarray(made[: len(x)], np.float32), took

    return copy


def measure(sources: list[Source], words: Words | None) -> list[Result]:
    copies: dict[str, Copy] = {
        "ours": ours,
        "WORLD (Harvest)": world("harvest"),
        "WORLD (DIO, StoneMask)": world("dio"),
    }
    found: dict[str, list[Result]] = {name: [] for name in copies}
    for source in sources:
        heard = source.samples[: int(LONGEST_S * STREAM_RATE)]
        x = at_rate(heard, STREAM_RATE, _core.RATE)
        as_it_was = at_rate(x, _core.RATE, STREAM_RATE)
        read = words.read(as_it_was, source.language) if words else None
        before = dnsmos(as_it_was)
        for name, copy in copies.items():
            made, took = copy(x)
            again = at_rate(made, _core.RATE, STREAM_RATE)
            after = words.read(again, source.language) if words else None
            found[name].append(
                {
                    "source": source.name,
                    "dnsmos_before": before,
                    "dnsmos_after": dnsmos(again),
                    "words_changed": words_changed(read, after),
                    "cpu_share": took * _core.RATE / len(x),
                }
            )
        print(source.name, *(f"{of[-1]['dnsmos_after']:.2f}" for of in found.values()), flush=True)
    return [{"copy": name, **means(of), "sources": of} for name, of in found.items()]


def means(of: list[Result]) -> Result:
    """Mean of each figure over the sources; of the processor's share the median."""
    keys = ("dnsmos_before", "dnsmos_after", "words_changed")
    known = {key: [one[key] for one in of if one[key] is not None] for key in keys}
    figures: Result = {key: float(np.mean(of)) if of else None for key, of in known.items()}
    return figures | {"cpu_share": float(np.median([one["cpu_share"] for one in of]))}


def table(results: list[Result]) -> str:
    lines = [
        "| copy | DNSMOS, before | after | words changed | core % | times ours |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for of in results:
        words = of["words_changed"]
        lines.append(
            f"| {of['copy']} | {of['dnsmos_before']:.2f} | {of['dnsmos_after']:.2f} | "
            f"{'-' if words is None else f'{100 * words:.1f} %'} | {100 * of['cpu_share']:.2f} | "
            f"{of['cpu_share'] / results[0]['cpu_share']:.1f} |"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    home = Path.home() / ".cache" / "persona-voice" / "models"
    parser.add_argument("--models", type=Path, default=home, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="every sixth recording")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    sources = list(recordings(Engines(Path(), Path())))[:: 6 if options.quick else 1]
    skipped = {}
    try:
        words = Words(options.models)
    except FileNotFoundError as reason:
        words, skipped = None, {"words": str(reason)}
    results = measure(sources, words)
    print(table(results))
    for name, reason in skipped.items():
        print(f"left out: {name}: {reason}")
    settings = {"sources": [source.name for source in sources], "seed": SEED}
    figures = {"copies": results, "skipped": skipped}
    report.write(report.circumstances("vocoder", settings) | {"figures": figures}, options.json)
