"""Does she sound like herself, and can one still understand every word?

Every source goes through the streaming path in blocks of 10 ms. Each judge hears the source and the
output; what it said of the source is kept beside the models, so that only new sound costs time.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from benches import judges, report
from benches.latency import envelope_lag_ms
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, Source, gather
from benches.streaming import Run, StreamSettings, run
from training.models import VOICES
from training.whole import whole

# Raised when a judge changes, so that what it said before no longer counts.
JUDGES_VERSION = 3
# Worst is the largest of these, the smallest of those.
LARGEST_IS_WORST = (
    "words_changed", "other_words_changed", "f0_flips", "latency_off_ms", "rtf", "cpu_share",
)  # fmt: skip
SMALLEST_IS_WORST = ("similarity", "margin", "dnsmos_after", "dnsmos_change", "f0_correlation")
COLUMNS = (
    ("words_changed", "words", "{:6.1%}"),
    ("other_words_changed", "other", "{:6.1%}"),
    ("similarity", "simil", "{:6.3f}"),
    ("margin", "margin", "{:+6.3f}"),
    ("dnsmos_before", "mos in", "{:6.2f}"),
    ("dnsmos_after", "mosout", "{:6.2f}"),
    ("f0_correlation", "f0cor", "{:6.3f}"),
    ("f0_flips", "flips", "{:6.1%}"),
    ("latency_off_ms", "lat+ms", "{:+6.1f}"),
    ("cpu_share", "cpu", "{:6.2f}"),
)


@dataclass(frozen=True)
class Judged:
    """What the judges said of one sound."""

    reading: str
    other_reading: str | None
    embedding: list[float] | None
    dnsmos: float
    f0: list[float]


class Jury:
    """All judges; what they said of sources is remembered in `cache`."""

    def __init__(self, models: Path, cache: Path) -> None:
        self.words, self.other_words = judges.Words(models), judges.OtherWords()
        self.speaker = judges.Speaker()
        self.cache = cache

    def source(self, source: Source) -> Judged:
        head = f"{JUDGES_VERSION} {source.language} ".encode()
        digest = hashlib.sha256(head + source.samples.tobytes()).hexdigest()
        file = self.cache / f"{digest[:32]}.json"
        if file.exists():
            return Judged(**json.loads(file.read_text(encoding="utf-8")))
        judged = self.judge(source.samples, source.language)
        self.cache.mkdir(parents=True, exist_ok=True)
        with whole(file) as out:
            out.write(json.dumps(asdict(judged)).encode())
        return judged

    def judge(self, samples: Samples, language: str) -> Judged:
        audible = float(np.abs(samples).max(initial=0.0)) > judges.SILENT
        return Judged(
            reading=self.words.read(samples, language),
            other_reading=self.other_words.read(samples, language),
            embedding=self.speaker.embed(samples).tolist() if audible else None,
            dnsmos=judges.dnsmos(samples),
            f0=judges.f0_contour(samples).tolist(),
        )

    def similarity(self, judged: Judged) -> float | None:
        """To the persona's centroid, -1 to 1."""
        if judged.embedding is None:
            return None
        return float(np.asarray(judged.embedding) @ self.speaker.centroid)


def row(source: Source, before: Judged, after: Judged, jury: Jury, done: Run) -> Result:
    similar, similar_before = jury.similarity(after), jury.similarity(before)
    melody = judges.melody(np.array(before.f0), np.array(after.f0))
    stated_ms = 1000 * done.latency_samples / STREAM_RATE
    measured_ms = envelope_lag_ms(source.samples, done.output, STREAM_RATE)
    seconds = len(source.samples) / STREAM_RATE
    return {
        "source": source.name,
        "group": source.group,
        "language": source.language,
        "seconds": round(seconds, 2),
        "words_before": before.reading,
        "words_after": after.reading,
        "words_changed": judges.words_changed(before.reading, after.reading),
        "other_words_before": before.other_reading,
        "other_words_after": after.other_reading,
        "other_words_changed": judges.words_changed(before.other_reading, after.other_reading),
        "similarity": similar,
        "similarity_before": similar_before,
        "margin": difference(similar, similar_before),
        "dnsmos_before": before.dnsmos,
        "dnsmos_after": after.dnsmos,
        "dnsmos_change": after.dnsmos - before.dnsmos,
        "f0_correlation": melody.correlation,
        "f0_flips": melody.flips,
        "f0_median_hz": melody.median_hz,
        "f0_moved_semitones": melody.moved_semitones,
        "latency_stated_ms": stated_ms,
        "latency_measured_ms": measured_ms,
        "latency_off_ms": difference(measured_ms, stated_ms),
        "rtf": float(done.block_s.sum()) / seconds,
        "cpu_share": done.cpu_s / seconds,
        "faults": done.faults,
    }


def difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def summarise(rows: list[Result]) -> Result:
    """Mean and worst of every figure, for each group and for all."""
    groups = {name: [r for r in rows if r["group"] == name] for name in {r["group"] for r in rows}}
    return {name: figures(of) for name, of in sorted(groups.items())} | {"all": figures(rows)}


def figures(rows: list[Result]) -> Result:
    def over(key: str, pick: Callable[[npt.NDArray[np.float64]], np.float64]) -> float | None:
        values = [r[key] for r in rows if r[key] is not None]
        return float(pick(np.array(values, np.float64))) if values else None

    keys = (*LARGEST_IS_WORST, *SMALLEST_IS_WORST, "dnsmos_before")
    worst = {key: over(key, np.max) for key in LARGEST_IS_WORST}
    # Early is as wrong as late.
    worst["latency_off_ms"] = over("latency_off_ms", lambda off: off[np.argmax(np.abs(off))])
    worst |= {key: over(key, np.min) for key in (*SMALLEST_IS_WORST, "dnsmos_before")}
    return {"count": len(rows), "mean": {k: over(k, np.mean) for k in keys}, "worst": worst}


def line(name: str, values: Result) -> str:
    def cell(key: str, form: str) -> str:
        return form.format(values[key]) if values.get(key) is not None else "     -"

    return f"{name:24}" + " ".join(cell(key, form) for key, _, form in COLUMNS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    home = Path.home() / ".cache" / "persona-voice-lab"
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--weights", type=Path, help="a weights file, or a folder that holds one")
    parser.add_argument("--quick", action="store_true", help="every third source")
    parser.add_argument("--mode", choices=("live", "studio"), default="live")
    parser.add_argument("--identity", action="store_true", help="the path without a converter")
    parser.add_argument("--models", type=Path, default=home, help="default: %(default)s")
    parser.add_argument("--voices", type=Path, default=VOICES, help="style packs of Kokoro")
    parser.add_argument("--keep", type=Path, help="write what came out here, as FLAC")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    began = time.monotonic()
    settings = StreamSettings(options.mode, STREAM_RATE, options.weights, options.identity)
    sources, skipped = gather(Engines(options.models, options.voices), quick=options.quick)
    jury = Jury(options.models, options.models / "bench-sources")
    stream = settings.open()
    print(f"{len(sources)} sources gathered in {time.monotonic() - began:.0f} s")
    print(f"{'':24}" + " ".join(f"{title:>6}" for _, title, _ in COLUMNS))
    rows = []
    for source in sources:
        done = run(stream, source.samples)
        after = jury.judge(done.trimmed, source.language)
        rows.append(row(source, jury.source(source), after, jury, done))
        print(line(source.name, rows[-1]), flush=True)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            soundfile.write(options.keep / f"{source.name}.flac", done.trimmed, STREAM_RATE)
    summary = summarise(rows)
    for name, of in summary.items():
        print(line(f"{name}: mean of {of['count']}", of["mean"]))
        print(line(f"{name}: worst", of["worst"]))
    for group, reason in skipped.items():
        print(f"{group} skipped: {reason}")
    print(f"{time.monotonic() - began:.0f} s in all")
    held = settings.as_json() | {"quick": options.quick}
    result = report.circumstances("quality", held)
    report.write(result | {"summary": summary, "skipped": skipped, "sources": rows}, options.json)
