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

from benches import judges, likeness, report
from benches.conditions import CONDITIONS
from benches.ghost import ghosts
from benches.latency import envelope_lag_ms
from benches.likeness import Embeddings
from benches.mood import tilt_db
from benches.page import Page
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, Source, gather
from benches.streaming import Run, StreamSettings, run
from training.models import VOICES
from training.whole import whole

# Raised when a judge changes, so that what it said before no longer counts.
JUDGES_VERSION = 5
# Worst is the largest of these, the smallest of those, the furthest from 0 of the last.
LARGEST_IS_WORST = (
    "words_changed", "other_words_changed", "words_wrong_after", "other_words_wrong_after", "leak",
    "f0_flips", "f0_lost", "rtf", "cpu_share",
)  # fmt: skip
SMALLEST_IS_WORST = (
    "similarity", "margin", "margin_over_nearest", "verifier_similarity", "dnsmos_after",
    "dnsmos_change", "f0_correlation",
)  # fmt: skip
FURTHEST_IS_WORST = ("latency_off_ms", "tilt_off_db")
FIGURES = (*LARGEST_IS_WORST, *SMALLEST_IS_WORST, *FURTHEST_IS_WORST)
# What the source was like, beside these.
BEFORE = ("words_wrong_before", "other_words_wrong_before", "dnsmos_before")
# Sources that are named as the worst of a figure.
WORST = 5
SEED = 20261129
COLUMNS = (
    ("words_changed", "words", "{:6.1%}"),
    ("other_words_changed", "other", "{:6.1%}"),
    ("words_wrong_before", "wrg in", "{:6.1%}"),
    ("words_wrong_after", "wrgout", "{:6.1%}"),
    ("similarity", "simil", "{:6.3f}"),
    ("verifier_similarity", "verif", "{:6.3f}"),
    ("dnsmos_before", "mos in", "{:6.2f}"),
    ("dnsmos_after", "mosout", "{:6.2f}"),
    ("f0_correlation", "f0cor", "{:6.3f}"),
    ("f0_flips", "flips", "{:6.1%}"),
    ("f0_lost", "f0lost", "{:6.1%}"),
    ("latency_off_ms", "lat+ms", "{:+6.1f}"),
    ("cpu_share", "cpu", "{:6.2f}"),
)


@dataclass(frozen=True)
class Judged:
    """What the judges said of one sound."""

    reading: str
    other_reading: str | None
    embedding: list[float] | None
    verifier_embedding: list[float] | None
    dnsmos: float
    f0: list[float]  # of a source where it is sure, of an output where there is any


class Jury:
    """All judges; what they said of sources is remembered in `cache`."""

    def __init__(self, models: Path, cache: Path) -> None:
        self.words, self.other_words = judges.Words(models), judges.OtherWords()
        self.speaker, self.verifier = judges.Speaker(), judges.OtherSpeaker()
        self.melodies = judges.Melodies()
        self.tilt_db = float(np.mean([tilt_db(samples) for samples in judges.references()]))
        self.cache = cache

    def source(self, source: Source) -> Judged:
        head = f"{JUDGES_VERSION} {source.language} ".encode()
        digest = hashlib.sha256(head + source.samples.tobytes()).hexdigest()
        file = self.cache / f"{digest[:32]}.json"
        if file.exists():
            return Judged(**json.loads(file.read_text(encoding="utf-8")))
        judged = self._judge(source.samples, source.language, self.melodies.agreed)
        self.cache.mkdir(parents=True, exist_ok=True)
        with whole(file) as out:
            out.write(json.dumps(asdict(judged)).encode())
        return judged

    def output(self, samples: Samples, language: str) -> Judged:
        return self._judge(samples, language, self.melodies.heard)

    def _judge(self, samples: Samples, language: str, f0: Callable[[Samples], judges.F0]) -> Judged:
        return Judged(
            reading=self.words.read(samples, language),
            other_reading=self.other_words.read(samples, language),
            embedding=plain(self.speaker.embed(samples)),
            verifier_embedding=plain(self.verifier.embed(samples)),
            dnsmos=judges.dnsmos(samples),
            f0=f0(samples).tolist(),
        )


def plain(embedding: npt.NDArray[np.float64] | None) -> list[float] | None:
    return None if embedding is None else embedding.tolist()


def similarity(embedding: list[float] | None, hers: npt.NDArray[np.float64]) -> float | None:
    """To the persona's centroid, -1 to 1."""
    return None if embedding is None else float(np.asarray(embedding) @ hers)


def row(source: Source, before: Judged, after: Judged, jury: Jury, done: Run) -> Result:
    similar, similar_before = (
        similarity(of.embedding, jury.speaker.centroid) for of in (after, before)
    )
    melody = judges.melody(np.array(before.f0), np.array(after.f0))
    stated_ms = 1000 * done.latency_samples / STREAM_RATE
    measured_ms = envelope_lag_ms(source.samples, done.output, STREAM_RATE)
    said = None if source.said is None else judges.normalise(source.said)
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
        "words_said": said,
        "words_wrong_before": judges.words_changed(said, before.reading),
        "words_wrong_after": judges.words_changed(said, after.reading),
        "other_words_wrong_before": judges.words_changed(said, before.other_reading),
        "other_words_wrong_after": judges.words_changed(said, after.other_reading),
        "similarity": similar,
        "similarity_before": similar_before,
        "margin": difference(similar, similar_before),
        "verifier_similarity": similarity(after.verifier_embedding, jury.verifier.centroid),
        "tilt_off_db": tilt_db(done.trimmed) - jury.tilt_db,
        "dnsmos_before": before.dnsmos,
        "dnsmos_after": after.dnsmos,
        "dnsmos_change": after.dnsmos - before.dnsmos,
        "f0_correlation": melody.correlation,
        "f0_flips": melody.flips,
        "f0_lost": melody.lost,
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


def badness(key: str, value: float) -> float:
    """The larger, the worse."""
    if key in FURTHEST_IS_WORST:
        return abs(value)
    return value if key in LARGEST_IS_WORST else -value


def over(rows: list[Result], key: str, pick: Callable[[list[float]], float]) -> float | None:
    """Of those rows that have the figure; None if none has."""
    values = [r[key] for r in rows if r[key] is not None]
    return pick(values) if values else None


def mean(values: list[float]) -> float:
    return float(np.mean(values))


def figures(rows: list[Result]) -> Result:
    def worst(key: str) -> float | None:
        return over(rows, key, lambda values: max(values, key=lambda value: badness(key, value)))

    means = {key: over(rows, key, mean) for key in (*FIGURES, *BEFORE)}
    return {"count": len(rows), "mean": means, "worst": {key: worst(key) for key in FIGURES}}


def worst_sources(rows: list[Result]) -> Result:
    """Of every figure the worst sources, the worst first."""
    found: Result = {}
    for key in FIGURES:
        had = [r for r in rows if r[key] is not None]
        had.sort(key=lambda r: badness(key, r[key]), reverse=True)
        found[key] = [{"source": r["source"], "value": r[key]} for r in had[:WORST]]
    return found


def under(settings: StreamSettings, source: Source, reading: str, jury: Jury) -> list[Result]:
    """The same source in each of `CONDITIONS`: words changed, and those that the condition itself costs."""
    stream = settings.open()
    rows = []
    for name, make in CONDITIONS.items():
        heard = make(source.samples, np.random.default_rng(SEED))
        there = Source(f"{source.name}, {name}", "condition", source.language, heard)
        lost = judges.words_changed(reading, jury.source(there).reading)
        output = run(stream, heard).trimmed
        changed = judges.words_changed(reading, jury.words.read(output, source.language))
        rows.append(
            {
                "source": source.name,
                "condition": name,
                "words_lost_by_itself": lost,
                "words_changed": changed,
                "words_beyond": difference(changed, lost),
                "similarity": similarity(plain(jury.speaker.embed(output)), jury.speaker.centroid),
            }
        )
    return rows


def by_condition(rows: list[Result]) -> Result:
    """The mean of each figure, and how many sources."""
    found: Result = {}
    for name in CONDITIONS:
        of = [r for r in rows if r["condition"] == name]
        found[name] = {"count": len(of)}
        for key in ("words_lost_by_itself", "words_changed", "words_beyond", "similarity"):
            found[name][key] = over(of, key, mean)
    return found


def voices(judged: dict[str, tuple[Judged, Judged]], which: str) -> tuple[Embeddings, Embeddings]:
    """Of sources and of outputs, those that have any, by one of the two judges of who speaks."""
    found: tuple[Embeddings, Embeddings] = ({}, {})
    for name, pair in judged.items():
        for of, said in zip(found, pair, strict=True):
            if (embedding := getattr(said, which)) is not None:
                of[name] = np.asarray(embedding)
    return found


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
    parser.add_argument("--page", type=Path, help="write a page to look at and listen to here")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    began = time.monotonic()
    settings = StreamSettings(options.mode, STREAM_RATE, options.weights, options.identity)
    sources, skipped = gather(Engines(options.models, options.voices), quick=options.quick)
    jury = Jury(options.models, options.models / "bench-sources")
    stream = settings.open()
    page = Page(options.page) if options.page else None
    print(f"{len(sources)} sources gathered in {time.monotonic() - began:.0f} s")
    print(f"{'':24}" + " ".join(f"{title:>6}" for _, title, _ in COLUMNS))
    rows, conditions = [], []
    judged = {}
    for source in sources:
        done = run(stream, source.samples)
        before, after = jury.source(source), jury.output(done.trimmed, source.language)
        judged[source.name] = before, after
        rows.append(row(source, before, after, jury, done))
        print(line(source.name, rows[-1]), flush=True)
        if source.group == "real":
            conditions += under(settings, source, before.reading, jury)
        if page:
            page.sounds(source.name, source.samples, done.trimmed)
    people, outputs = voices(judged, "embedding")
    margins = likeness.margins(people, outputs, jury.speaker.centroid)
    nothing = {"nearest": None, "margin_over_nearest": None, "leak": None}
    rows = [each | margins.get(each["source"], nothing) for each in rows]
    spoken = next(source for source in sources if source.group == "real")
    result = report.circumstances("quality", settings.as_json() | {"quick": options.quick}) | {
        "summary": summarise(rows),
        "worst_sources": worst_sources(rows),
        "consistency": {
            "outputs": likeness.consistency(outputs),
            "sources": likeness.consistency(people),
            "outputs_by_verifier": likeness.consistency(voices(judged, "verifier_embedding")[1]),
        },
        "conditions": by_condition(conditions),
        "ghosts": ghosts(settings, spoken.samples),
        "skipped": skipped,
        "sources": rows,
        "conditions_by_source": conditions,
    }
    show(result)
    print(f"{time.monotonic() - began:.0f} s in all")
    report.write(result, options.json)
    if page:
        page.write(result)


def show(result: Result) -> None:
    for name, of in result["summary"].items():
        print(line(f"{name}: mean of {of['count']}", of["mean"]))
        print(line(f"{name}: worst", of["worst"]))
    for name, of in result["consistency"].items():
        if of["mean"] is not None:
            print(f"consistency of {name}: {of['mean']:.3f}, least {of['minimum']:.3f} ", end="")
            print(f"({' and '.join(of['least_alike'])})")
    for name, of in result["conditions"].items():
        if of["count"]:
            print(f"{name}: {of['words_changed']:.1%} of words changed, ", end="")
            print(f"{of['words_beyond']:+.1%} beyond its own; similarity {of['similarity']:.3f}")
    for name, of in result["ghosts"].items():
        print(f"a minute of {name} noise: {of['ghost_s']:.2f} s of ghosts, ", end="")
        print(f"{of['level_db']:.0f} dB against her, loudest {of['loudest_30_ms_db']:.0f}")
    for group, reason in result["skipped"].items():
        print(f"{group} skipped: {reason}")
