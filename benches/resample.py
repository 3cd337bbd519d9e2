"""What a change of sample rate costs, how late it is and what it leaves: ours and others' by turns.

All hear the same speech in one process, on one thread. What comes out is checked before a time is taken.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches import report
from benches.report import Result
from benches.resampling import OURS, Array, Peer, Step, peers
from benches.sources import STREAM_RATE, at_rate
from benches.speed import SEED, speech
from persona_voice._core import Drift, Resampler

RATIOS = (
    (48_000, 24_000),
    (24_000, 48_000),
    (44_100, 24_000),
    (24_000, 44_100),
    (16_000, 24_000),
    (48_000, 16_000),
)
BLOCKS = 100  # of 10 ms: a second, which all hear in each round
ROUNDS = 15
QUICK_ROUNDS = 2
# Blocks whose delay is measured: a block may be kept back, and ours is never.
DELAY_BLOCKS_MS = (1, 5, 10, 40)
# Where a filter is to be flat, and from where on to stop, in parts of the lower Nyquist frequency.
PASS, STOP = 0.8, 1.1
TONE_HZ = 997.0


def blocks_of(sound: Array, length: int) -> list[Array]:
    return [np.ascontiguousarray(sound[at : at + length]) for at in range(0, len(sound), length)]


def through(step: Step, sound: Array, length: int) -> npt.NDArray[np.float64]:
    return np.concatenate([step(block) for block in blocks_of(sound, length)]).astype(np.float64)


def tone(f_hz: float, rate: int, seconds: float, level: float = 1.0) -> Array:
    n = np.arange(int(rate * seconds))
    return (level * np.sin(2 * np.pi * f_hz / rate * n)).astype(np.float32)


def parted(y: npt.NDArray[np.float64], f_hz: float, rate: int) -> tuple[float, float]:
    """Amplitude of the tone in the middle of `y`, and the level of all else against it in dB."""
    y = y[len(y) // 2 : len(y) * 7 // 8]
    angle = 2 * np.pi * f_hz / rate * np.arange(len(y))
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    found, *_ = np.linalg.lstsq(basis, y, rcond=None)
    power = float((found**2).sum() / 2) + 1e-30
    rest = float(np.square(y - basis @ found).mean())
    return float(np.hypot(*found)), 10 * np.log10(rest / power + 1e-20)


def cleanness(peer: Peer, rates: tuple[int, int]) -> Result:
    """Ripple below `PASS`, what is left from `STOP` on, and all beside a tone of 997 Hz at -1 dBFS."""
    source, wanted = rates
    nyquist_hz = min(rates) / 2

    def run(f_hz: float, level: float = 0.5) -> npt.NDArray[np.float64]:
        sound = tone(f_hz, source, 0.5, level)
        # Whoever knows no stream gets the whole, which is kinder.
        return through(peer.make(*rates), sound, len(sound) if peer.whole else source // 100)

    passed = [
        parted(run(nyquist_hz * part), nyquist_hz * part, wanted)
        for part in (0.05, 0.3, 0.55, 0.7, PASS)
    ]
    gains = [20 * np.log10(2 * gain + 1e-9) for gain, _ in passed]
    found = {
        "ripple_db": float(np.abs(gains).max()),
        "worst_rest_db": max(rest for _, rest in passed),
        "thd_n_db": parted(run(TONE_HZ, 10 ** (-1 / 20)), TONE_HZ, wanted)[1],
    }
    top = source / 2 / nyquist_hz
    if top > STOP:
        parts = [
            part for part in (STOP, 1.115, 1.15, 1.2, 1.3, 1.5, 1.7, 1.9, 2.3, 2.7) if part < top
        ]
        rests = [np.square(settled(run(nyquist_hz * part))).mean() for part in parts]
        found["alias_db"] = float(10 * np.log10(8 * max(rests) + 1e-20))
    if not (np.isfinite(list(found.values())).all() and found["ripple_db"] < 3):
        raise RuntimeError(
            f"{peer.name} must pass tones at {rates}, its times mean nothing: {found}"
        )
    return found


def settled(y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return y[len(y) // 2 : len(y) * 7 // 8]


def delay_ms(step: Step, rates: tuple[int, int], block_ms: int) -> float:
    """How late a slow bump comes out, and what is kept back besides, at most."""
    source, wanted = rates
    bump = np.zeros(source, np.float32)
    rise = np.hanning(source // 50 + 1)[1:-1]
    start = source // 4
    bump[start : start + len(rise)] = 0.5 * rise
    centre_s = (start + (len(rise) - 1) / 2) / source
    fed, given, kept_s = 0, 0, 0.0
    out = []
    for block in blocks_of(bump, source * block_ms // 1000):
        out.append(step(block))
        fed, given = fed + len(block), given + len(out[-1])
        kept_s = max(kept_s, fed / source - given / wanted)
    y = np.concatenate(out).astype(np.float64)
    late_s = float((np.arange(len(y)) * y).sum() / y.sum()) / wanted - centre_s
    return 1000 * (late_s + kept_s)


class Timed:
    """A contender at one pair of rates, and the least time of each of its blocks and of the whole."""

    def __init__(self, peer: Peer, rates: tuple[int, int], sound: Array) -> None:
        self.peer, self.rates, self.sound = peer, rates, sound
        self.blocks = blocks_of(sound, rates[0] // 100)
        self.block_ns: list[npt.NDArray[np.float64]] = []
        self.whole_ns: list[float] = []

    def turn(self) -> None:
        """The second of sound as a new stream: the same work in the same place each time."""
        step = self.peer.make(*self.rates)
        for block in self.blocks[:20]:  # caches, and whatever is made when it is first used
            step(block)
        taken = np.empty(len(self.blocks))
        for n, block in enumerate(self.blocks):
            start = time.perf_counter_ns()
            step(block)
            taken[n] = time.perf_counter_ns() - start
        self.block_ns.append(taken)
        start = time.perf_counter_ns()
        step(self.sound)
        self.whole_ns.append(time.perf_counter_ns() - start)

    def figures(self) -> Result:
        least = np.min(self.block_ns, axis=0)  # what other programs cost is not in it
        return {
            "ns_per_output": float(np.median(self.whole_ns)) / self.rates[1],
            "ns_per_output_least": min(self.whole_ns) / self.rates[1],
            "block_us": float(np.median(self.block_ns)) / 1000,
            "block_us_least": float(least.mean()) / 1000,
            "block_p99_to_mean": float(np.percentile(least, 99) / least.mean()),
        }


def limits(rates: tuple[int, int], linear_db: float, minimum_db: float) -> Result:
    """What no filter that stops so much from 1.1 of Nyquist on can fall below, in ms.

    Of linear phase: Kaiser's estimate for 0.01 dB of ripple, flat to 0.9 (Kaiser 1974). Of any causal
    filter: the delay that goes with such a loss by the relation of gain and phase (Bode 1945).
    """
    nyquist_khz = min(rates) / 2000
    # 0.01 dB is a ripple of 0.00115.
    taps = (-10 * np.log10(0.00115) - linear_db / 2 - 13) / 14.6
    nepers = -minimum_db * np.log(10) / 20
    return {
        "linear_ms": taps / (0.2 * nyquist_khz) / 2,
        "causal_ms": nepers / (np.pi**2 * STOP * nyquist_khz),
    }


def measure(rates: tuple[int, int], sound: Array, others: list[Peer], rounds: int) -> list[Result]:
    contenders = [Timed(peer, rates, sound) for peer in (*OURS, *others)]
    results = []
    for of in contenders:
        found: Result = {"rates": list(rates), "who": of.peer.name, **cleanness(of.peer, rates)}
        if not of.peer.whole:
            delays = [delay_ms(of.peer.make(*rates), rates, ms) for ms in DELAY_BLOCKS_MS]
            found |= {"delay_ms": dict(zip(map(str, DELAY_BLOCKS_MS), delays, strict=True))}
        results.append(found)
    for make, found in zip((Resampler, Resampler.minimum_phase), results[:2], strict=True):
        found["stated_ms"] = 1000 * make(*rates).latency / rates[1]
        off = [ms - found["stated_ms"] for ms in found["delay_ms"].values()]
        found["stated_off_samples"] = max(map(abs, off)) * rates[1] / 1000
    for _ in range(rounds):
        for of in contenders:
            of.turn()
    for of, found in zip(contenders, results, strict=True):
        found |= of.figures()
        found["times_ours"] = found["ns_per_output_least"] / results[0]["ns_per_output_least"]
    return results


def drift_figures(rounds: int, sound: Array) -> Result:
    """Our stage between two clocks at 48 kHz, which no peer here is: time, and a tone while they move."""
    taken = []
    blocks = blocks_of(sound, STREAM_RATE // 100)
    for _ in range(rounds):
        drift = Drift()
        start = time.perf_counter_ns()
        for n, block in enumerate(blocks):
            drift.set_ppm(500.0 if n % 40 < 20 else -500.0)
            drift.process(block)
        taken.append((time.perf_counter_ns() - start) / len(blocks) / 1000)
    return {"block_us": float(np.median(taken)), "block_us_least": min(taken)}


def table(results: list[Result]) -> str:
    lines = [
        f"{'':38}{'ns/out':>7}{'x ours':>8}{'us/10 ms':>9}{'p99/mean':>9}{'delay ms':>9}"
        f"{'ripple':>8}{'alias':>8}{'rest':>8}{'THD+N':>8}"
    ]
    for of in results:
        title = f"{of['rates'][0]} > {of['rates'][1]}  {of['who']}"
        delay = f"{of['delay_ms']['10']:9.3f}" if "delay_ms" in of else f"{'-':>9}"
        alias = f"{of['alias_db']:8.1f}" if "alias_db" in of else f"{'-':>8}"
        lines.append(
            f"{title:38}{of['ns_per_output_least']:7.2f}{of['times_ours']:8.2f}{of['block_us_least']:9.2f}"
            f"{of['block_p99_to_mean']:9.2f}{delay}{of['ripple_db']:8.4f}{alias}"
            f"{of['worst_rest_db']:8.1f}{of['thd_n_db']:8.1f}"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="two rounds: that it runs")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    rounds = QUICK_ROUNDS if options.quick else options.rounds
    others, left_out = peers()
    sound = speech(3.0)[-STREAM_RATE:]
    results, of_limits = [], {}
    for rates in RATIOS:
        found = measure(rates, at_rate(sound, STREAM_RATE, rates[0]), others, rounds)
        results += found
        stops = [of.get("alias_db", of["worst_rest_db"]) for of in found[:2]]
        of_limits[f"{rates[0]} > {rates[1]}"] = limits(rates, *stops)
        print(table(found), flush=True)
        least = of_limits[f"{rates[0]} > {rates[1]}"]
        print(
            f"no filter below {least['linear_ms']:.3f} ms (linear), {least['causal_ms']:.3f} ms "
            f"(any); ours as stated within "
            f"{max(of['stated_off_samples'] for of in found[:2]):.2f} samples"
        )
    drift = drift_figures(rounds, sound)
    print(f"between two clocks at 48 kHz: {drift['block_us']:.2f} us for 10 ms")
    print("\n".join(f"{who}: {why}" for who, why in left_out.items()))
    held = {"rounds": rounds, "blocks": BLOCKS, "seed": SEED, "threads": 1}
    figures = {"contenders": results, "limits": of_limits, "drift": drift}
    whole = report.circumstances("resample", held) | {"figures": figures, "notes": left_out}
    report.write(whole, options.json)
