"""Our voice activity detector beside those of others: the same input, in one process.

python -m benches vad [--json FILE] [--quick] [--seconds N] [--models DIR]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches import report
from benches.report import Result
from benches.sources import Engines, Samples
from benches.vad_peers import Detector, Scores, Step, detectors
from benches.vad_set import NOISES, RATE, SNRS_DB, Condition, LabelledSet, build
from persona_voice import _core
from training.models import VOICES
from training.vad import area
from training.vad_scenes import Labels, runs

# So many of what is far from speech may be taken for it: so far, at these conditions.
FALSE_ALARMS, FAR_HOPS, POOLED_SNRS_DB = 0.02, 30, (20, 10)
# A beginning follows a pause of `FAR_HOPS` and goes on for so long.
SHORTEST_HOPS = 20
EVEN = 0.5
COST_STRETCH_S = 0.25

Milliseconds = npt.NDArray[np.float64]


def far(speech: Labels) -> Labels:
    """What is no speech, nor near any."""
    near = np.convolve(speech, np.ones(2 * FAR_HOPS + 1), "same") > 0.5
    return ~near


def stretches(speech: Labels) -> list[tuple[int, int]]:
    """Speech after a pause, first hop and one past the last."""
    found, ended = [], 0
    for start, stop in runs(speech):
        if start - ended >= FAR_HOPS and stop - start >= SHORTEST_HOPS:
            found.append((start, stop))
        ended = stop
    return found


def onsets_ms(scores: Scores, speech: Labels, threshold: float) -> Milliseconds:
    """From the label's edge to the end of the first frame above; infinite where there is none."""
    found = []
    for start, stop in stretches(speech):
        above = np.flatnonzero(scores[start:stop] > threshold)
        found.append(10.0 * (above[0] + 1) if len(above) else np.inf)
    return np.array(found)


def releases_ms(scores: Scores, speech: Labels, threshold: float) -> Milliseconds:
    """From the label's end to the end of the first frame that is not above; 0 if it was so before."""
    found = []
    for start, stop in stretches(speech):
        if scores[start:stop].max() > threshold:
            last = scores[stop - 1 : stop + FAR_HOPS] > threshold
            found.append(10.0 * int(np.argmin(last)) if not last.all() else np.inf)
    return np.array(found)


def spread(times: Milliseconds) -> Result:
    """Median and p90 of those that were found, and their share."""
    middle, late = (float(np.percentile(times, p, method="higher")) for p in (50, 90))
    finite = float(np.isfinite(times).mean())
    return {"median": none_if_infinite(middle), "p90": none_if_infinite(late), "found": finite}


def none_if_infinite(x: float) -> float | None:
    return x if np.isfinite(x) else None


def judged(heard: dict[int, Scores], alone: Scores, data: LabelledSet) -> Result:
    """All figures of one detector; ``heard`` by place among the conditions."""
    speech, quiet = data.speech, far(data.speech)
    at = {(one.name, one.snr_db): heard[n] for n, one in enumerate(data.conditions)}
    areas = {key: area(scores, speech) for key, scores in at.items()}
    pooled = [at["clean", None]]
    pooled += [at[name, snr_db] for name in NOISES for snr_db in POOLED_SNRS_DB]
    threshold = float(np.quantile(np.concatenate([of[quiet] for of in pooled]), 1 - FALSE_ALARMS))
    with_music = np.concatenate([at["music", snr_db][quiet] for snr_db in SNRS_DB])
    under_music = np.concatenate([at["music", snr_db][speech] for snr_db in SNRS_DB])
    figures: Result = {
        "auc": float(np.mean(list(areas.values()))),
        "auc_clean": areas["clean", None],
        "auc_by_noise": {
            name: float(np.mean([areas[name, snr_db] for snr_db in SNRS_DB])) for name in NOISES
        },
        "auc_by_snr_db": {
            str(snr_db): float(np.mean([areas[name, snr_db] for name in NOISES]))
            for snr_db in SNRS_DB
        },
        "threshold_at_2_percent": threshold,
        "music_as_speech": float((with_music > EVEN).mean()),
        "missed_under_music": float((under_music <= EVEN).mean()),
        "music_alone_as_speech": float((alone > EVEN).mean()),
        "false_alarms": float(np.mean([(of[quiet] > EVEN).mean() for of in pooled])),
    }
    for name, key in (("clean", ("clean", None)), ("pink_10_db", ("pink", 10))):
        figures[f"onset_ms_{name}"] = spread(onsets_ms(at[key], speech, threshold))
        figures[f"release_ms_{name}"] = spread(releases_ms(at[key], speech, EVEN))
    return figures


def decisions(data: LabelledSet) -> Result:
    """What ours makes of its probabilities: onsets, those taken back, and speech."""
    quiet_s = float(far(data.speech).sum()) / 100
    figures: Result = {}
    for one in data.conditions:
        if one.snr_db in (None, 10):
            frames = _core.Vad(RATE).process(one.samples)
            speech, onset = frames[:, 1] > EVEN, frames[:, 2] > EVEN
            begun = starts(onset)
            taken_back = [at for at in begun if not speech[at : at + 7].any()]
            figures[title(one)] = {
                "onset_ms": spread(onsets_ms(frames[:, 2], data.speech, EVEN)),
                "speech_ms": spread(onsets_ms(frames[:, 1], data.speech, EVEN)),
                "onsets": len(begun),
                "taken_back": len(taken_back),
                "false_speech_a_minute": 60 * int(far(data.speech)[starts(speech)].sum()) / quiet_s,
            }
    return figures


def starts(flags: Labels) -> list[int]:
    return [start for start, _ in runs(flags)]


def title(one: Condition) -> str:
    return one.name if one.snr_db is None else f"{one.name} {one.snr_db} dB"


def cost(found: list[Detector], sound: Samples, seconds: float) -> dict[str, Result]:
    """Time of a call, and for 10 ms, by turns so short that some meet an idle processor; ours in the core, too,
    a second in one call."""
    steps: list[tuple[str, int, Step]] = [(of.name, of.block, of.cost()) for of in found]
    for rate in (RATE, 24_000, 48_000):
        vad = _core.Vad(rate)
        steps.append((f"ours, {rate // 1000} kHz, a second a call", rate, vad.process))
    times: dict[str, list[float]] = {name: [] for name, _, _ in steps}
    stretch = int(COST_STRETCH_S * RATE)
    for turn in range(max(round(seconds / COST_STRETCH_S), 2)):
        piece = np.roll(sound, -turn * stretch)
        for name, block, step in steps:
            count = max(stretch // block, 2)
            blocks = np.resize(piece[: count * block], (count, block))
            step(blocks[0])
            begun = time.perf_counter_ns()
            for part in blocks[1:]:
                step(part)
            times[name].append((time.perf_counter_ns() - begun) / 1000 / (count - 1))
    result = {}
    for name, block, _ in steps:
        rate = int(name.split()[1]) * 1000 if "kHz" in name else RATE
        hops = block * 100 / rate
        each = np.array(times[name][1:])
        result[name] = {
            "block_ms": 10 * hops,
            "us_a_call": float(np.median(each)),
            "us_a_hop": float(np.median(each)) / hops,
            "us_a_hop_least": float(each.min()) / hops,
        }
    ours = result["ours"]["us_a_hop"]
    return {name: of | {"times_ours": of["us_a_hop"] / ours} for name, of in result.items()}


def table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join("---" for _ in rows[0]) + " |", *lines[1:]])


def ms(of: Result) -> str:
    return " / ".join("-" if of[p] is None else f"{of[p]:.0f}" for p in ("median", "p90"))


def tables(result: Result) -> str:
    head = ["", *result["detectors"]]
    each = list(result["detectors"].values())

    def row(name: str, *path: str, form: str = ".3f") -> list[str]:
        cells = [name]
        for figures in each:
            for key in path:
                figures = figures[key]
            cells.append(ms(figures) if isinstance(figures, dict) else format(figures, form))
        return cells

    quality = [head, row("AUC, mean", "auc"), row("clean", "auc_clean")]
    quality += [row(f"{snr_db} dB", "auc_by_snr_db", str(snr_db)) for snr_db in SNRS_DB]
    quality += [row(name, "auc_by_noise", name) for name in NOISES]
    for name, words in (("clean", "clean"), ("pink_10_db", "pink 10 dB")):
        quality.append(row(f"onset ms, {words}", f"onset_ms_{name}"))
        quality.append(row(f"release ms, {words}", f"release_ms_{name}"))
    quality.append(row("music as speech", "music_as_speech", form=".1%"))
    quality.append(row("missed under music", "missed_under_music", form=".1%"))
    quality.append(row("music alone as speech", "music_alone_as_speech", form=".1%"))
    quality.append(row("false alarms", "false_alarms", form=".1%"))
    made = [["ours", "onset ms", "speech ms", "onsets", "taken back", "false speech a minute"]]
    for name, of in result["decisions"].items():
        late = [ms(of["onset_ms"]), ms(of["speech_ms"])]
        counts = [str(of["onsets"]), str(of["taken_back"]), f"{of['false_speech_a_minute']:.1f}"]
        made.append([name, *late, *counts])
    costs = [["", "ms a call", "us a call", "us for 10 ms", "least", "times ours"]]
    for name, of in result["cost"].items():
        cells = [f"{of['block_ms']:.0f}", f"{of['us_a_call']:.1f}", f"{of['us_a_hop']:.2f}"]
        costs.append([name, *cells, f"{of['us_a_hop_least']:.2f}", f"{of['times_ours']:.2f}"])
    return "\n\n".join(map(table, (quality, made, costs)))


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", type=Path, help="write the result to this file")
    command.add_argument("--models", type=Path, default=Path.home() / ".cache/persona-voice/models")
    command.add_argument("--seconds", type=float, default=60.0, help="of sound for the times")
    command.add_argument("--quick", action="store_true", help="every third voice: it runs, no more")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    found, skipped = detectors()
    data = build(Engines(options.models, VOICES), quick=options.quick)
    result = report.circumstances("vad", {"seconds": options.seconds, "quick": options.quick})
    result |= {
        "minutes": len(data.speech) / 6000,
        "speech": float(data.speech.mean()),
        "voices": data.voices,
        "left_out": data.skipped | skipped,
        "detectors": {},
    }
    for one in found:
        heard = {n: one.scores(of.samples) for n, of in enumerate(data.conditions)}
        figures = judged(heard, one.scores(data.music_alone), data)
        result["detectors"][one.name] = {"version": one.version, **figures}
    result["decisions"] = decisions(data)
    sound = data.named("pink", 10)[0].samples
    result["cost"] = cost(found, sound, options.seconds)
    print(f"{result['minutes']:.1f} minutes, {result['speech']:.0%} speech, voices: {data.voices}")
    print(tables(result))
    for what, why in result["left_out"].items():
        print(f"left out: {what}: {why}")
    report.write(result, options.json)
