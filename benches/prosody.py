"""F0 moved by four semitones up and down with the formants kept: ours and its peers, on the same speech.

The speech is resynthesised by WORLD from the recordings, so that F0 and envelope are known; the ideal is
WORLD with the same envelopes at the moved F0.
"""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benches import report
from benches.report import Result
from benches.shifters import CEILING_HZ, FLOOR_HZ, Samples, Shifting, Step, contenders
from benches.sources import STREAM_RATE, Engines, recordings

SHIFTS = (4.0, -4.0)
BLOCK = STREAM_RATE // 100
CLIP_S = 4.0
# The recordings begin with a breath or a pause.
FROM_S = 0.5
# Envelopes are compared between these.
BAND_HZ = (100.0, 5000.0)
GROSS_CENTS = 300.0
BURSTS = 12
BURST_EVERY_S, BURST_S = 0.3, 0.005
SEED = 20261129
# Of so many, the least time of each block counts: interrupts of the system are no part of it.
ROUNDS = 3
# Blocks at the start of a stream that are not counted.
COLD_BLOCKS = 50

F0 = npt.NDArray[np.float64]


@dataclass
class Clip:
    """Speech whose F0 and envelopes are known, and how it should sound at each shift."""

    name: str
    samples: Samples
    f0: F0
    times: F0
    ideal: dict[float, Samples]
    envelope: dict[float, F0] = field(default_factory=dict)
    heard: dict[float, F0] = field(default_factory=dict)  # F0 of the ideal, as DIO hears it


@dataclass
class Run:
    """What came out of one contender for one sound, and what it took."""

    output: Samples
    block_s: list[float]
    held: int  # the most samples by which what was delivered fell behind what was fed


def clip(name: str, recording: Samples) -> Clip:
    import pyworld

    first = int(FROM_S * STREAM_RATE)
    x = recording[first : first + int(CLIP_S * STREAM_RATE)].astype(np.float64)
    f0, t = pyworld.harvest(x, STREAM_RATE, f0_floor=FLOOR_HZ, f0_ceil=CEILING_HZ)
    envelope = pyworld.cheaptrick(x, f0, t, STREAM_RATE)
    noise = pyworld.d4c(x, f0, t, STREAM_RATE)

    def made(semitones: float) -> Samples:
        moved = f0 * 2 ** (semitones / 12)
        return np.asarray(pyworld.synthesize(moved, envelope, noise, STREAM_RATE), np.float32)

    of = Clip(name, made(0.0), f0, t, {st: made(st) for st in SHIFTS})
    for st in SHIFTS:
        of.envelope[st] = envelope_db(of, st, of.ideal[st])
        of.heard[st] = contour(of.ideal[st], st)
    return of


def envelope_db(of: Clip, semitones: float, y: Samples) -> F0:
    """CheapTrick's of the voiced frames, in dB, within `BAND_HZ`."""
    import pyworld

    f0 = of.f0 * 2 ** (semitones / 12)
    power = pyworld.cheaptrick(y.astype(np.float64), f0, of.times, STREAM_RATE)
    hz = np.linspace(0, STREAM_RATE / 2, power.shape[1])
    band = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])
    return np.asarray(10 * np.log10(power[of.f0 > 0][:, band] + 1e-12))


def contour(y: Samples, semitones: float) -> F0:
    import pyworld

    floor = 0.9 * FLOOR_HZ * 2 ** (semitones / 12)
    x = y.astype(np.float64)
    f0, t = pyworld.dio(x, STREAM_RATE, f0_floor=floor, f0_ceil=800.0)
    return np.asarray(pyworld.stonemask(x, f0, t, STREAM_RATE), np.float64)


def run(contender: Shifting, x: Samples, semitones: float, rounds: int = 1) -> Run:
    if contender.live is None:
        whole = contender.whole
        assert whole is not None
        outs = [timed(lambda x: whole(x, semitones), [x]) for _ in range(rounds)]
        return Run(outs[0][0][0], [min(times[0] for _, times in outs)], 0)
    # Silence behind, for what is still on its way.
    padded = np.concatenate([x, np.zeros(STREAM_RATE // 4, np.float32)])
    blocks = [padded[at : at + BLOCK].copy() for at in range(0, len(padded) - BLOCK + 1, BLOCK)]
    outs = [timed(contender.live(semitones), blocks) for _ in range(rounds)]
    parts = outs[0][0]
    lengths = np.cumsum([len(part) for part in parts])
    held = int(np.max(BLOCK * np.arange(1, len(parts) + 1) - lengths))
    least = np.min([times for _, times in outs], axis=0)
    return Run(np.concatenate(parts), list(least[COLD_BLOCKS:]), max(held, 0))


def timed(step: Step, blocks: list[Samples]) -> tuple[list[Samples], list[float]]:
    """What comes of blocks, one after the other, and the processor time of each in seconds."""
    parts, times = [], []
    for block in blocks:
        begin = time.thread_time()
        parts.append(step(block))
        times.append(time.thread_time() - begin)
    return parts, times


def delay(contender: Shifting, semitones: float) -> tuple[float, float]:
    """By how much bursts trail in the output, and what was held back beyond that; in samples."""
    rng = np.random.default_rng(SEED)
    every, length = int(BURST_EVERY_S * STREAM_RATE), int(BURST_S * STREAM_RATE)
    x = np.zeros(BURSTS * every, np.float32)
    starts = [n * every + every // 4 for n in range(BURSTS)]
    for start in starts:
        x[start : start + length] = 0.5 * np.hanning(length) * rng.standard_normal(length)
    done = run(contender, x, semitones)
    y = np.pad(done.output, (0, max(len(x) + every - len(done.output), 0)))

    def centre(of: Samples, start: int) -> float:
        power = of[start : start + every * 3 // 4].astype(np.float64) ** 2
        return float((np.arange(len(power)) * power).sum() / (power.sum() + 1e-20))

    late = [centre(y, start) - centre(x, start) for start in starts[1:]]
    return float(np.median(late)), float(done.held)


def score(of: Clip, semitones: float, y: Samples) -> Result:
    """Distances from the ideal of an output that lies where the input did."""
    y = np.pad(y, (0, max(len(of.samples) - len(y), 0)))[: len(of.samples)]
    off = envelope_db(of, semitones, y) - of.envelope[semitones]
    # A gain is no matter of the envelope.
    off -= np.median(off)
    heard, wanted = contour(y, semitones), of.heard[semitones]
    both = (heard > 0) & (wanted > 0)
    cents = np.abs(1200 * np.log2(heard[both] / wanted[both])) if both.any() else np.array([np.nan])
    return {
        "envelope_db": float(np.sqrt((off**2).mean(axis=1)).mean()),
        "f0_cents": float(np.median(cents)),
        "gross": float(np.mean(cents > GROSS_CENTS)),
    }


def measure(every: list[Shifting], clips: list[Clip]) -> list[Result]:
    """All contenders clip by clip, so that the machine's load meets all alike."""
    delays = {(c.name, st): delay(c, st) if c.live else (0.0, 0.0) for c in every for st in SHIFTS}
    scores: dict[tuple[str, float], list[Result]] = {}
    shares: dict[str, list[float]] = {c.name: [] for c in every}
    blocks: dict[str, list[float]] = {c.name: [] for c in every}
    for of in clips:
        for st in SHIFTS:
            for contender in every:
                done = run(contender, of.samples, st, ROUNDS)
                late = round(delays[contender.name, st][0])
                # What a library leaves out at its start, it seems to be early by.
                aligned = np.pad(done.output, (max(-late, 0), 0))[max(late, 0) :]
                found = score(of, st, aligned)
                scores.setdefault((contender.name, st), []).append(found)
                sound_s = len(done.block_s) * BLOCK / STREAM_RATE
                sound_s = sound_s if contender.live else len(of.samples) / STREAM_RATE
                shares[contender.name].append(sum(done.block_s) / sound_s)
                blocks[contender.name] += done.block_s
            print(f"{of.name} {st:+g}", flush=True)
    mine = float(np.median(shares["ours"]))
    results = []
    for c in every:
        figures: Result = {"shifter": c.name, "licence": c.licence, "keeps_formants": c.formants}
        figures["live"] = c.live is not None
        for st in SHIFTS:
            late, held = delays[c.name, st]
            of_shift = scores[c.name, st]
            means = {key: float(np.mean([one[key] for one in of_shift])) for key in of_shift[0]}
            means["delay_ms"] = 1000 * (late + held) / STREAM_RATE if c.live else None
            figures[f"{st:+g}"] = means
        share = float(np.median(shares[c.name]))
        figures |= {"cpu_share": share, "times_ours": share / mine}
        if c.live:
            us = 1e6 * np.array(blocks[c.name])
            figures |= {"block_us_mean": float(us.mean()), "block_us_p50": float(np.median(us))}
            figures |= {f"block_us_p{p:g}": float(np.percentile(us, p)) for p in (95, 99.5)}

        results.append(figures)
    return results


def identity_db() -> float:
    """Of speech that ours is asked to leave as it is: what differs, against it."""
    from benches.shifters import ours

    x = next(recordings(Engines(Path(), Path()))).samples[: 4 * STREAM_RATE]
    done = run(ours(), x, 0.0)
    late = round(delay(ours(), 0.0)[0])
    off = done.output[late : late + len(x)] - x
    return float(10 * np.log10((off**2).sum() / (x**2).sum() + 1e-20))


def table(results: list[Result]) -> str:
    up, down = (f"{st:+g}" for st in SHIFTS)
    lines = [
        "| shifter | formants | delay ms | envelope dB | f0 cents | gross % | core % | times ours | p99.5 / mean |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]

    def both(of: Result, key: str, scale: float, digits: int) -> str:
        values = [of[st][key] for st in (up, down)]
        return " / ".join("whole" if v is None else f"{scale * v:.{digits}f}" for v in values)

    for of in results:
        flat = f"{of['block_us_p99.5'] / of['block_us_mean']:.1f}" if of["live"] else "whole"
        cells = [
            of["shifter"],
            "kept" if of["keeps_formants"] else "moved",
            both(of, "delay_ms", 1, 1) if of["live"] else "whole",
            both(of, "envelope_db", 1, 2),
            both(of, "f0_cents", 1, 1),
            both(of, "gross", 100, 1),
            f"{100 * of['cpu_share']:.2f}",
            f"{of['times_ours']:.1f}",
            flat,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--clips", type=int, default=6, help="recordings; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one recording: only that it runs")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    count = 1 if options.quick else options.clips
    every = list(recordings(Engines(Path(), Path())))
    chosen = every[:: max(len(every) // count, 1)][:count]
    clips = [clip(source.name, source.samples) for source in chosen]
    found, skipped = contenders()
    results = measure(found, clips)
    same_db = identity_db()
    print(table(results))
    print(f"ours without a shift: {same_db:.0f} dB off")
    for name, reason in skipped.items():
        print(f"left out: {name}: {reason}")
    settings: dict[str, Any] = {
        "clips": [of.name for of in clips], "seed": SEED, "clip_s": CLIP_S, "rounds": ROUNDS,
    }  # fmt: skip
    figures = {"shifters": results, "identity_db": same_db, "skipped": skipped}
    report.write(report.circumstances("prosody", settings) | {"figures": figures}, options.json)
