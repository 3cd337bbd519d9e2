"""The quality bench as a page: the tables, and every source to hear and to see before and after."""

import shutil
from html import escape
from pathlib import Path

import soundfile

from benches.report import Result
from benches.sources import STREAM_RATE, Samples
from persona_voice.cli.picture import Pair, draw
from training.whole import whole

TITLES = {
    "words_changed": ("words changed", "{:.1%}"),
    "other_words_changed": ("by another recogniser", "{:.1%}"),
    "words_wrong_before": ("words wrong before", "{:.1%}"),
    "words_wrong_after": ("after", "{:.1%}"),
    "similarity": ("similarity", "{:.3f}"),
    "verifier_similarity": ("by our verifier", "{:.3f}"),
    "margin_over_nearest": ("over the nearest other", "{:+.3f}"),
    "leak": ("leak of the source", "{:+.3f}"),
    "dnsmos_before": ("DNSMOS before", "{:.2f}"),
    "dnsmos_after": ("after", "{:.2f}"),
    "f0_correlation": ("F0 correlation", "{:.3f}"),
    "f0_flips": ("octave flips", "{:.1%}"),
    "f0_lost": ("voice lost", "{:.1%}"),
    "tilt_off_db": ("tilt off, dB/octave", "{:+.2f}"),
    "latency_off_ms": ("latency off, ms", "{:+.1f}"),
}
CONDITION_TITLES = {
    "words_lost_by_itself": ("words lost by itself", "{:.1%}"),
    "words_changed": ("words changed", "{:.1%}"),
    "words_beyond": ("beyond its own", "{:+.1%}"),
    "similarity": ("similarity", "{:.3f}"),
}
GHOST_TITLES = {
    "ghost_s": ("ghosts, s", "{:.2f}"),
    "level_db": ("level against hers, dB", "{:.0f}"),
    "loudest_30_ms_db": ("loudest 30 ms", "{:.0f}"),
}
CONSISTENCY_TITLES = {
    "sources": ("sources", "{}"),
    "mean": ("mean", "{:.3f}"),
    "minimum": ("minimum", "{:.3f}"),
    "least_alike": ("least alike", "{}"),
}
STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; font-weight: normal; }
th { color: #666; } td:first-child, th:first-child { text-align: left; }
img { width: 100%; } audio { width: 24rem; vertical-align: middle; } q { color: #444; }
"""


class Page:
    """A folder with ``index.html`` and what it shows."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not (folder / "index.html").exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} must be a folder of an earlier page, or none")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        (folder / "index.html").touch()

    def sounds(self, name: str, source: Samples, output: Samples) -> None:
        """Both as FLAC, and their spectrograms."""
        for when, samples in (("before", source), ("after", output)):
            soundfile.write(self.folder / f"{name}_{when}.flac", samples, STREAM_RATE)
        draw([Pair(name, STREAM_RATE, source, output)], self.folder / f"{name}.png")

    def write(self, result: Result) -> None:
        settings = ", ".join(f"{key} {value}" for key, value in result["settings"].items())
        parts = [
            f"<!doctype html><meta charset=utf-8><title>Quality</title><style>{STYLE}</style>",
            f"<h1>Quality: {escape(result['settings']['mode'])}</h1>",
            f"<p>{escape(settings)}; commit {result['commit']}, {result['date']}</p>",
        ]
        means = {
            f"{name}, mean of {of['count']}": of["mean"] for name, of in result["summary"].items()
        }
        worst = {f"{name}, worst": of["worst"] for name, of in result["summary"].items()}
        parts += [table("Groups", TITLES, means | worst)]
        parts += [table("Consistency over all sources", CONSISTENCY_TITLES, result["consistency"])]
        parts += [
            table(
                "The recordings in noise and on the telephone",
                CONDITION_TITLES,
                result["conditions"],
            )
        ]
        parts += [table("A minute of a room's noise", GHOST_TITLES, result["ghosts"])]
        parts += ["<h2>Worst of each figure</h2>", *map(worst_of, result["worst_sources"].items())]
        parts += ["<h2>Sources</h2>", *map(section, result["sources"])]
        with whole(self.folder / "index.html") as out:
            out.write("\n".join(parts).encode())


def shown(value: object, form: str) -> str:
    return "–" if value is None else escape(form.format(value))


def table(heading: str, titles: dict[str, tuple[str, str]], rows: dict[str, Result]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in titles.values())
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{shown(of.get(key), form)}</td>" for key, (_, form) in titles.items())
        + "</tr>"
        for name, of in rows.items()
    )
    return f"<h2>{escape(heading)}</h2><table><tr><th></th>{head}</tr>{body}</table>"


def worst_of(figure: tuple[str, list[Result]]) -> str:
    key, sources = figure
    title, form = TITLES.get(key, (key.replace("_", " "), "{:.3f}"))
    named = ", ".join(f"{escape(s['source'])} {shown(s['value'], form)}" for s in sources)
    return f"<p>{escape(title)}: {named}</p>"


def section(row: Result) -> str:
    name = escape(row["source"])
    players = "".join(
        f'<p>{when} <audio controls preload="none" src="{name}_{when}.flac"></audio> '
        f"<q>{escape(row[f'words_{when}'])}</q></p>"
        for when in ("before", "after")
    )
    figures = table(row["source"], TITLES, {row["group"]: row})
    return f'{figures}{players}<img loading="lazy" src="{name}.png" alt="spectrograms of {name}">'
