"""F0 and voicing by our trackers and by others, on speech whose F0 is known exactly.

All hear the same sounds, one after the other. Truth is by construction: the people whom `quality`
converts, taken apart and put together again by WORLD with a known contour (`training/contours.py`).
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches import report
from benches.f0_peers import Answer, Tracker, trackers
from benches.report import Result
from benches.sources import RECORDINGS, at_rate
from persona_voice._core import HOP, RATE
from training.contours import Floats, Known, Samples, contour_at, in_noise, noise, resynthesised

SEED = 11
SECONDS = 7.0
# Recordings also moved down by a fifth: their speakers are high.
LOWERED = ("arctic_slt_en_f", "asterisk_fr_f")
LOWERED_SEMITONES = -7.0
CONDITIONS = (
    ("clean", None),
    ("pink 20", 20.0),
    ("pink 10", 10.0),
    ("pink 0", 0.0),
    ("babble 10", 10.0),
)
TALKERS = 8
# Voiced is what lies less than this below the loud: at 20 dB of noise it can still be heard.
FAINT_DB = 24.0
# Of which the peers that take a millisecond or more a hop hear only these.
SLOW_CONDITIONS = ("clean", "pink 10", "pink 0")
NEAR_CENTS, GROSS_SHARE = 50.0, 0.2
# How late a tracker's values are is looked for in these steps.
STEP_S = 0.002
STREAMS_S, OFFLINE_S = (0.0, 0.2), (-0.02, 0.02)
THRESHOLDS = np.arange(0.02, 1.0, 0.02)
RELIABILITY = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)


def gathered(*, quick: bool) -> tuple[list[Known], list[Known]]:
    """Sounds with an exact contour, and the recordings with what trackers agree on."""
    files = sorted(file for folder in RECORDINGS for file in folder.glob("*.flac"))
    made, natural = [], []
    for file in files[::4] if quick else files:
        import soundfile

        samples, rate = soundfile.read(file, dtype="float32")
        samples = at_rate(samples, rate, RATE)[: int(SECONDS * RATE)]
        one, as_it_is = resynthesised(file.stem, samples, faint_db=FAINT_DB)
        made.append(one)
        natural.append(as_it_is)
        if file.stem in LOWERED:
            lowered = file.stem + " lowered"
            made.append(resynthesised(lowered, samples, LOWERED_SEMITONES, FAINT_DB)[0])
    return made, natural


def spoilt(sounds: list[Known], condition: str, snr_db: float | None) -> list[Samples]:
    """The sounds in a condition, the same noise at each call."""
    if snr_db is None:
        return [of.samples for of in sounds]
    rng = np.random.default_rng(SEED)
    if condition.startswith("pink"):
        return [in_noise(of.samples, noise("pink", len(of.samples), rng), snr_db) for of in sounds]
    return [in_noise(of.samples, babble(sounds, of, rng), snr_db) for of in sounds]


def babble(sounds: list[Known], but: Known, rng: np.random.Generator) -> Floats:
    others = [of.samples for of in sounds if of.name[:8] != but.name[:8]]
    made = np.zeros(len(but.samples))
    for n in range(TALKERS):
        talker = np.roll(others[n % len(others)], int(rng.integers(len(but.samples))))
        made += np.resize(talker / (np.sqrt(np.mean(talker**2)) + 1e-9), len(made))
    return made


def run(tracker: Tracker, sounds: list[Samples]) -> list[Answer]:
    answers = []
    for samples in sounds:
        began = time.process_time()
        answers.append(tracker.track(samples))
        tracker.cpu_us.append((time.process_time() - began) / (len(samples) / HOP) * 1e6)
    return answers


class Compared:
    """Answers beside the truth at every hop, taking what was said `delay_s` later."""

    def __init__(self, answers: list[Answer], truths: list[Known], delay_s: float) -> None:
        columns = [self.beside(*pair, delay_s) for pair in zip(answers, truths, strict=True)]
        self.truth, self.f0, self.sure, self.said = np.concatenate(columns, axis=1)

    @staticmethod
    def beside(answer: Answer, truth: Known, delay_s: float) -> Floats:
        moments = np.arange(len(truth.samples) // HOP) * HOP / RATE
        moments = moments[moments + delay_s < answer.seconds[-1]]
        at = np.searchsorted(answer.seconds, moments + delay_s + 1e-6)
        before = np.maximum(at - 1, 0)
        after = np.minimum(at, len(answer.seconds) - 1)
        wanted = moments + delay_s
        nearer = np.where(
            wanted - answer.seconds[before] <= answer.seconds[after] - wanted, before, after
        )
        # Between two values, both voiced, the contour goes straight; as the tracker's user would have it.
        f0 = between(answer, before, after, wanted, nearer)
        known = contour_at(truth.f0_hz, moments)
        said = answer.sure if answer.voiced is None else answer.voiced
        rows = np.stack([known, f0, answer.sure[nearer], said[nearer]])
        return rows[:, np.isfinite(known)]

    def voiced(self, threshold: float) -> npt.NDArray[np.bool_]:
        return (self.said >= threshold) & (self.f0 > 0)

    @property
    def cents(self) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(1200 * np.log2(self.f0 / self.truth))

    def right(self, threshold: float) -> npt.NDArray[np.bool_]:
        """In voicing, and in F0 where there is voice."""
        near = (self.cents < NEAR_CENTS) & self.voiced(threshold)
        return np.where(self.truth > 0, near, ~self.voiced(threshold))

    def figures(self, threshold: float) -> Result:
        spoken, said = self.truth > 0, self.voiced(threshold)
        both = spoken & said
        gross = np.abs(self.f0[both] / self.truth[both] - 1) > GROSS_SHARE
        return {
            "rpa": float(np.mean((self.cents < NEAR_CENTS)[spoken] & said[spoken])),
            "gross": float(gross.mean()) if both.any() else None,
            "voicing_errors": float(np.mean(spoken != said)),
        }


def between(
    answer: Answer,
    before: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
    wanted: Floats,
    nearer: npt.NDArray[np.int64],
) -> Floats:
    a, b = answer.f0_hz[before], answer.f0_hz[after]
    step = np.maximum(answer.seconds[after] - answer.seconds[before], 1e-9)
    part = np.clip((wanted - answer.seconds[before]) / step, 0, 1)
    near = (a > 0) & (b > 0) & (np.abs(a - b) < 0.2 * np.maximum(a, 1))
    return np.where(near, a + (b - a) * part, answer.f0_hz[nearer])


def settled(answers: list[Answer], truths: list[Known], tracker: Tracker) -> tuple[float, float]:
    """The delay with the highest raw pitch accuracy, and the threshold with the fewest voicing errors."""
    low, high = STREAMS_S if tracker.streaming else OFFLINE_S
    first = tracker.threshold if tracker.threshold is not None else 0.0
    delays = np.arange(low, high + STEP_S / 2, STEP_S)
    best = max(delays, key=lambda d: Compared(answers, truths, d).figures(first)["rpa"])
    if tracker.threshold is not None:
        return float(best), tracker.threshold
    compared = Compared(answers, truths, float(best))
    errors = [compared.figures(of)["voicing_errors"] for of in THRESHOLDS]
    return float(best), float(THRESHOLDS[int(np.argmin(errors))])


def reliability(compared: list[Compared], threshold: float) -> list[Result]:
    """Of the frames with so much confidence, how many are right."""
    sure = np.concatenate([of.sure for of in compared])
    right = np.concatenate([of.right(threshold) for of in compared])
    rows = []
    for low, high in itertools.pairwise(RELIABILITY):
        of = (sure >= low) & ((sure < high) | (high == 1.0))
        if of.any():
            row = {"from": low, "to": high, "share": float(of.mean())}
            rows.append(
                row | {"confidence": float(sure[of].mean()), "right": float(right[of].mean())}
            )
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument(
        "--quick", action="store_true", help="every fourth recording, no slow peers"
    )


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    sounds, natural = gathered(quick=options.quick)
    heard = {name: spoilt(sounds, name, snr_db) for name, snr_db in CONDITIONS}
    missing: dict[str, str] = {}
    rows, tables = [], {}
    ours_us: float | None = None
    print(f"{len(sounds)} sounds. Right within 50 cents / gross / voicing errors, in %")
    print(f"{'':20}{'us/hop':>8}{'ours':>7}{'ms':>5}" + "".join(f"{c:>18}" for c, _ in CONDITIONS))
    for tracker in trackers(missing):
        if tracker.slow and options.quick:
            continue
        names = [n for n, _ in CONDITIONS if not tracker.slow or n in SLOW_CONDITIONS]
        answers = {name: run(tracker, heard[name]) for name in names}
        best_s, threshold = settled(answers["clean"], sounds, tracker)
        # What is said of its own moment is judged there, be it to its disadvantage.
        delay_s = best_s if tracker.stated_ms is None else tracker.stated_ms / 1000
        compared = {name: Compared(of, sounds, delay_s) for name, of in answers.items()}
        figures = {name: of.figures(threshold) for name, of in compared.items()}
        as_recorded = run(tracker, [of.samples for of in natural])
        figures["recordings"] = Compared(as_recorded, natural, delay_s).figures(threshold)
        cost_us = float(np.median(tracker.cpu_us))
        ours_us = ours_us or cost_us
        row: Result = {"tracker": tracker.name, "licence": tracker.licence}
        row |= {"streaming": tracker.streaming, "delay_ms": 1000 * best_s, "threshold": threshold}
        row |= {"stated_ms": tracker.stated_ms, "cpu_us": cost_us, "times_ours": cost_us / ours_us}
        row |= {f"cpu_us_p{p}": float(np.percentile(tracker.cpu_us, p)) for p in (0, 95)}
        rows.append(row | {"figures": figures})
        print(line(rows[-1]), flush=True)
        if tracker.licence == "ours":
            tables[tracker.name] = reliability(list(compared.values()), threshold)
    for name, table in tables.items():
        print(f"{name}: confidence -> right (share of frames)")
        print(
            "  ".join(
                f"{r['confidence']:.2f} -> {r['right']:.2f} ({r['share']:.0%})" for r in table
            )
        )
    for name, reason in missing.items():
        print(f"{name} left out: {reason}")
    result = report.circumstances("f0", {"quick": options.quick, "seed": SEED})
    held = {"trackers": rows, "reliability": tables, "left_out": missing}
    report.write(result | held, options.json)


def line(row: Result) -> str:
    def cell(of: Result | None) -> str:
        if of is None:
            return f"{'-':>18}"
        gross = "-" if of["gross"] is None else f"{100 * of['gross']:.1f}"
        text = f"{100 * of['rpa']:.1f}/{gross}/{100 * of['voicing_errors']:.1f}"
        return f"{text:>18}"

    delay = f"{row['delay_ms']:.0f}" if row["streaming"] else "-"
    cells = [cell(row["figures"].get(name)) for name, _ in CONDITIONS]
    start = f"{row['tracker']:20}{row['cpu_us']:8.1f}{row['times_ours']:7.1f}{delay:>5}"
    return start + "".join(cells) + "  recordings" + cell(row["figures"]["recordings"])
