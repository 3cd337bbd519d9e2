"""Loudness, limiter, gain and fade against others, on the same sound, by turns in one process.

What each answers is judged first: loudness against libebur128, peaks against the wave at sixteenths of a
sample, gains by what becomes of speech of six levels.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.signal

from benches import level_peers as peers
from benches import report
from benches.level_peers import Array, MissingError, Step
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, recordings
from benches.speed import SEED, speech
from benches.streaming import blocks_of
from benches.turns import Contender, take_turns
from persona_voice._core import HOP, RATE, Fade, Leveller, Limiter, Meter, Vad

BLOCK_MS = 10
SOUND_S = 30.0
CEILING_DB = -1.0
TARGET_DB = -26.0
# Of speech as it comes in: a far microphone, and one at the lips.
LEVELS_DB = (-50.0, -42.0, -34.0, -26.0, -18.0, -12.0)
# In which a gain may find its level, of speech.
SETTLING_S = 1.5
QUICK_SECONDS = 1.0
AGC_RATE = 16_000


def rms_db(x: Array) -> float:
    return float(10 * np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-12))


def speech_db(x: Array, rate: int) -> float:
    """Of the hops less than 10 dB below the mean of all."""
    hops = x[: len(x) // (rate // 100) * (rate // 100)].reshape(-1, rate // 100)
    power = np.mean(np.square(hops, dtype=np.float64), 1)
    return float(10 * np.log10(power[power > power.mean() / 10].mean()))


def at_db(x: Array, rate: int, level_db: float) -> Array:
    return (x * 10 ** ((level_db - speech_db(x, rate)) / 20)).astype(np.float32)


def true_peak_db(x: Array) -> float:
    """Of the wave at sixteenths of a sample, about the loudest samples: to 0.02 dB."""
    fine = scipy.signal.resample_poly(x.astype(np.float64), 16, 1, window=("kaiser", 8.0))
    return float(20 * np.log10(max(np.abs(fine).max(), 1e-9)))


def through(step: Step, x: Array, rate: int, width: int | None = None) -> Array:
    block = rate * BLOCK_MS // 1000
    done = [step(of) for of in blocks_of(x, block) if len(of) == block]
    return np.concatenate(done) if width is None else np.stack([of.reshape(width) for of in done])


def loudness(sound: Array) -> list[Result]:
    """Our meter's largest difference from libebur128, and both peaks' from the reference."""
    found = []
    for rate in (48_000, 44_100, 24_000, 16_000):
        x = scipy.signal.resample_poly(sound, rate // 100, STREAM_RATE // 100).astype(np.float32)
        ours = through(Meter(rate).process, x, rate, 3)
        other = peers.in_decibels(through(peers.libebur128(rate), x, rate, 3))
        apart = np.abs(ours - other)[:, :2].max(0)
        reference = true_peak_db(x)
        found.append(
            {
                "sample_rate": rate,
                "momentary_apart_lu": float(apart[0]),
                "short_term_apart_lu": float(apart[1]),
                "true_peak_off_db": float(ours[:, 2].max() - reference),
                "libebur128_true_peak_off_db": float(other[:, 2].max() - reference),
            }
        )
    return found


def too_loud() -> dict[str, Array]:
    """Sounds at 48 kHz that a limiter must turn down, some larger between samples than at them."""
    rng = np.random.default_rng(SEED)
    n = np.arange(STREAM_RATE)
    swell = np.sin(np.pi * n / len(n)) ** 2
    step = np.where(n < STREAM_RATE // 2, 0.5, 2.0)
    white = rng.standard_normal(STREAM_RATE)
    return {
        "speech, 12 dB up": 4 * speech(6.0),
        "step of 12 dB, 1 kHz": (step * np.sin(2 * np.pi * 1000 / STREAM_RATE * n)).astype("f4"),
        "12 kHz between samples": (3 * swell * np.sin(np.pi / 2 * n + np.pi / 4)).astype("f4"),
        "19 kHz": (3 * swell * np.sin(np.pi * 0.792 * n + 0.3)).astype("f4"),
        "noise up to 20 kHz": scipy.signal.lfilter(scipy.signal.firwin(255, 0.83), 1, white).astype(
            "f4"
        ),
        "white noise": white.astype("f4"),
    }


def limiter(name: str, make: Callable[[], Step]) -> Result:
    impulse = np.zeros(STREAM_RATE // 4, np.float32)
    impulse[4800] = 0.1
    late = int(np.argmax(np.abs(through(make(), impulse, STREAM_RATE)))) - 4800
    over = {
        what: true_peak_db(through(make(), x, STREAM_RATE)) - CEILING_DB
        for what, x in too_loud().items()
    }
    return {"name": name, "latency_ms": 1000 * late / STREAM_RATE, "overshoot_db": over}


def ours_with_vad() -> Step:
    """Hop by hop at 24 kHz: what the detector says of a hop holds for the next."""
    vad, leveller = Vad(), Leveller(RATE, TARGET_DB)

    def step(block: Array) -> Array:
        leveller.set_speech(bool(vad.process(block)[-1, 1] > 0.5))
        return leveller.process(block)

    return step


def agc(name: str, make: Callable[[], Step], rate: int) -> Result:
    """What becomes of each speaker at each level, of noise, and of a quiet sentence among others."""
    people = voices(rate)
    levels, steepest = [], 0.0
    for x in people:
        of_person = []
        for db in LEVELS_DB:
            said = at_db(x, rate, db)
            out = through(make(), said, rate)
            settled = int((0.3 + SETTLING_S) * rate)
            of_person.append(speech_db(out[settled:], rate))
            steepest = max(steepest, fastest(said, out, rate, settled))
        levels.append(of_person)
    found = np.array(levels)
    aim = TARGET_DB if name == "ours" else float(np.median(found))
    quiet = sentence_moves(make, people, rate)
    return {
        "name": name,
        "aims_at_db": aim,
        "off_db_median": float(np.median(np.abs(found - aim))),
        "off_db_worst": float(np.abs(found - aim).max()),
        "off_db_of_levels": {
            str(db): float(np.median(of - aim)) for db, of in zip(LEVELS_DB, found.T, strict=True)
        },
        "steepest_db_per_s": steepest,
        "noise_rise_db": noise_rise(make, people[0], rate),
        "sentence_moves_db": quiet,
    }


def agc_of_16_khz(name: str, make: Callable[[], Step]) -> Result:
    return agc(name, make, AGC_RATE)


def voices(rate: int) -> list[Array]:
    """Each recording of 6 s or more, its first 8 s, after 0.3 s of what a microphone calls silence."""
    rng = np.random.default_rng(SEED)
    every = [of.samples for of in recordings(Engines(Path(), Path()))]
    found = []
    for samples in every:
        if len(samples) < 6 * STREAM_RATE:
            continue
        x = scipy.signal.resample_poly(samples[: 8 * STREAM_RATE], rate // 100, STREAM_RATE // 100)
        begin = 1e-3 * np.sqrt(np.mean(x**2)) * rng.standard_normal(int(0.3 * rate))
        found.append(np.concatenate([begin, x]).astype(np.float32))
    return found


def speakers_move_db() -> float:
    """How far what follows the first 1.5 s of a speaker is from it: no gain can know. The worst."""
    settled = int((0.3 + SETTLING_S) * RATE)
    moved = [speech_db(x[settled:], RATE) - speech_db(x[:settled], RATE) for x in voices(RATE)]
    return float(np.abs(moved).max())


def gains(said: Array, out: Array, rate: int, window_s: float = 0.5) -> Array:
    """Of each half second that holds speech, in dB; NaN of the others."""
    length = int(window_s * rate)
    pairs = list(zip(blocks_of(said, length), blocks_of(out, length), strict=True))
    floor = speech_db(said, rate) - 20
    found = [rms_db(b) - rms_db(a) if rms_db(a) > floor else np.nan for a, b in pairs]
    return np.array(found[: len(said) // length], np.float32)


def fastest(said: Array, out: Array, rate: int, start: int) -> float:
    """Largest change of gain from one half second to the next, in dB a second."""
    moved = np.abs(np.diff(gains(said[start : len(out)], out[start:], rate))) / 0.5
    return float(np.nanmax(moved, initial=0.0))


def noise_rise(make: Callable[[], Step], person: Array, rate: int) -> float:
    """In 2 s of noise 25 dB below the speech before it: from its first half second to the last."""
    rng = np.random.default_rng(SEED)
    said = at_db(person[: 5 * rate], rate, -30.0)
    noise = (10 ** (-55 / 20) * rng.standard_normal(2 * rate)).astype(np.float32)
    whole = np.concatenate([said, noise]) + (10 ** (-75 / 20)) * rng.standard_normal(
        len(said) + len(noise)
    )
    out = through(make(), whole.astype(np.float32), rate)[len(said) :]
    of_noise = [rms_db(part) for part in blocks_of(out, rate // 2)]
    return max(of_noise) - of_noise[0]


def sentence_moves(make: Callable[[], Step], people: Sequence[Array], rate: int) -> float:
    """By how much a sentence 5 dB below those about it is moved against them: the worst speaker."""
    worst = 0.0
    for x in people:
        parts = [at_db(x[: 4 * rate], rate, db) for db in (-26.0, -26.0, -31.0, -26.0)]
        out = through(make(), np.concatenate(parts), rate)
        ends = np.cumsum([0, *(len(part) for part in parts)])
        levels = [
            speech_db(out[a:b], rate) - speech_db(part[: b - a], rate)
            for (a, b), part in zip(pairwise(ends), parts, strict=True)
        ]
        worst = max(worst, *(abs(a - b) for a, b in pairwise(levels[1:])))
    return worst


def click(x: Array) -> float:
    return float(np.abs(np.diff(x, 3)).max())


def fades() -> list[Result]:
    """Time until nothing is heard, and the largest third difference of a tone, against a cut."""
    tone = (0.8 * np.sin(2 * np.pi * 150 / STREAM_RATE * np.arange(STREAM_RATE // 2))).astype("f4")
    found = []
    for release_ms in (10.0, 40.0, 80.0):
        fade = Fade(STREAM_RATE)
        out = [fade.process(tone[:9_000])]
        fade.close(release_ms)
        out.append(fade.process(tone[9_000:15_000]))
        fade.resume(480)
        out.append(fade.process(tone[15_000:]))
        silent = int(np.argmax(out[1] == 0))
        cut = tone.copy()
        cut[9_000:15_480] = 0
        found.append(
            {
                "release_ms": release_ms,
                "silent_after_ms": 1000 * silent / STREAM_RATE,
                "click": click(np.concatenate(out)),
                "click_of_a_cut": click(cut),
            }
        )
    return found


def contenders(sound: Array) -> tuple[list[Contender], dict[str, str]]:
    """Ours first in each group; the others are held against it. And why some are left out."""
    block = STREAM_RATE * BLOCK_MS // 1000
    at_48 = [of for of in blocks_of(sound, block) if len(of) == block]
    at_16 = [np.ascontiguousarray(scipy.signal.resample_poly(of, 1, 3), np.float32) for of in at_48]
    at_24 = [np.ascontiguousarray(scipy.signal.resample_poly(of, 1, 2), np.float32) for of in at_48]
    loud = [np.float32(4) * of for of in at_48]
    together = [of for of in blocks_of(sound, 50 * block) if len(of) == 50 * block]
    speaking = Leveller(AGC_RATE, TARGET_DB)
    speaking.set_speech(True)
    plan: list[tuple[str, str, Callable[[], Step], list[Array]]] = [
        ("loudness", "ours", lambda: Meter(STREAM_RATE).process, at_48),
        ("loudness", "libebur128, queried", lambda: peers.libebur128(STREAM_RATE), at_48),
        (
            "loudness",
            "libebur128, momentary alone",
            lambda: peers.libebur128(STREAM_RATE, momentary_alone=True),
            at_48,
        ),
        ("limiter", "ours", lambda: Limiter(STREAM_RATE, CEILING_DB).process, at_48),
        ("limiter", "pedalboard Limiter", lambda: pedalboard("Limiter"), at_48),
        ("limiter", "pedalboard Brickwall", lambda: pedalboard("BrickwallLimiter"), at_48),
        ("limiter at work", "ours", lambda: Limiter(STREAM_RATE, CEILING_DB).process, loud),
        ("limiter at work", "pedalboard Limiter", lambda: pedalboard("Limiter"), loud),
        ("limiter at work", "pedalboard Brickwall", lambda: pedalboard("BrickwallLimiter"), loud),
        ("gain", "ours, 16 kHz", lambda: speaking.process, at_16),
        ("gain", "ours with VAD, 24 kHz", ours_with_vad, at_24),
        ("gain", "WebRTC, 16 kHz", peers.webrtc_agc, at_16),
        ("gain", "speexdsp, 16 kHz", peers.speex_agc, at_16),
        ("fade", "ours", stopped, at_48),
    ]
    made: list[Contender] = []
    left_out: dict[str, str] = {}
    for group, name, make, blocks in plan:
        ours = next((of for of in made if of.group == group), None)
        try:
            made.append(Contender(group, name, make(), blocks, BLOCK_MS, ours))
        except MissingError as why:
            left_out[name] = str(why)
    ours = made[0]
    meter = Meter(STREAM_RATE)
    made.append(Contender("loudness", "ours, 50 hops a call", meter.process, together, 500, ours))
    return made, left_out


def pedalboard(kind: str) -> Step:
    return peers.pedalboard_limiter(STREAM_RATE, kind)


def stopped() -> Step:
    """Falls and rises, over and over: what it costs while it moves."""
    fade = Fade(STREAM_RATE)

    def step(block: Array) -> Array:
        if fade.idle:
            fade.close(80.0)
        elif fade.silent:
            fade.resume(0)
        return fade.process(block)

    return step


def timing(contender: Contender) -> Result:
    """In microseconds for 10 ms of sound."""
    hops = contender.block_ms / BLOCK_MS
    times = np.concatenate([of.block_s for of in contender.turns]) * 1e6 / hops
    found = {f"us_p{p}": float(np.percentile(times, p)) for p in (50, 95, 99)}
    found |= {"us_least": float(times.min())}
    return {"group": contender.group, "name": contender.name, **found}


def with_ratios(times: list[Result]) -> list[Result]:
    """The medians of others against ours of the same group."""
    for of in times:
        ours = next(one for one in times if one["group"] == of["group"])
        of["times_ours"] = of["us_p50"] / ours["us_p50"]
    return times


def table(found: Result) -> str:
    lines = [
        "| loudness | momentary, short-term against libebur128 | true peak off: ours, libebur128 |"
    ]
    lines += ["| --- | --- | --- |"]
    for of in found["loudness"]:
        lines.append(
            f"| {of['sample_rate']} Hz | {of['momentary_apart_lu']:.1e}, {of['short_term_apart_lu']:.1e} LU"
            f" | {of['true_peak_off_db']:+.3f}, {of['libebur128_true_peak_off_db']:+.3f} dB |"
        )
    sounds = list(found["limiters"][0]["overshoot_db"])
    lines += ["", "| limiter to -1 dB | latency | " + " | ".join(sounds) + " |"]
    lines += ["| --- | --- |" + " --- |" * len(sounds)]
    for of in found["limiters"]:
        over = " | ".join(f"{of['overshoot_db'][what]:+.2f}" for what in sounds)
        lines.append(f"| {of['name']} | {of['latency_ms']:.2f} ms | {over} |")
    lines += [
        "",
        "| gain | off its level: median, worst | steepest | noise rises | quiet sentence moved |",
    ]
    lines += ["| --- | --- | --- | --- | --- |"]
    for of in found["gains"]:
        lines.append(
            f"| {of['name']} | {of['off_db_median']:.2f}, {of['off_db_worst']:.2f} dB | "
            f"{of['steepest_db_per_s']:.1f} dB/s | {of['noise_rise_db']:+.2f} dB | "
            f"{of['sentence_moves_db']:.2f} dB |"
        )
    lines += ["", f"speakers move by up to {found['speakers_move_db']:.1f} dB after 1.5 s"]
    lines += ["", "| fade | silent after | click | of a cut |", "| --- | --- | --- | --- |"]
    for of in found["fades"]:
        lines.append(
            f"| {of['release_ms']:g} ms | {of['silent_after_ms']:.2f} ms | {of['click']:.1e} | "
            f"{of['click_of_a_cut']:.1e} |"
        )
    lines += ["", "| µs per 10 ms | p50 | p95 | p99 | least | x ours |", "| --- |" + " --- |" * 5]
    for of in found["times"]:
        lines.append(
            f"| {of['group']}: {of['name']} | {of['us_p50']:.2f} | {of['us_p95']:.2f} | "
            f"{of['us_p99']:.2f} | {of['us_least']:.2f} | {of['times_ours']:.2f} |"
        )
    return "\n".join(lines)


def judged(
    what: Callable[[str, Callable[[], Step]], Result], plan: dict[str, Callable[[], Step]]
) -> list[Result]:
    """Of those that are here."""
    found = []
    for name, make in plan.items():
        try:
            make()
        except MissingError:
            continue
        found.append(what(name, make))
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--seconds", type=float, default=10.0, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one second: that it runs")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    seconds = QUICK_SECONDS if options.quick else options.seconds
    sound = speech(SOUND_S)
    limiters = {
        "ours": lambda: Limiter(STREAM_RATE, CEILING_DB).process,
        "pedalboard Limiter": lambda: pedalboard("Limiter"),
        "pedalboard BrickwallLimiter": lambda: pedalboard("BrickwallLimiter"),
    }
    agcs = {"WebRTC": peers.webrtc_agc, "speexdsp": peers.speex_agc}
    try:
        meters = loudness(sound)
    except MissingError as why:
        meters = []
        print(why)
    found: Result = {
        "loudness": meters,
        "limiters": judged(limiter, limiters),
        "gains": [agc("ours", ours_with_vad, RATE), *judged(agc_of_16_khz, agcs)],
        "speakers_move_db": speakers_move_db(),
        "fades": fades(),
    }
    these, left_out = contenders(sound)
    take_turns(these, seconds)
    found["times"] = with_ratios([timing(of) for of in these])
    print("\n".join([table(found), *(f"{name}: {why}" for name, why in left_out.items())]))
    held = {"seconds": seconds, "sample_rate": STREAM_RATE, "block_ms": BLOCK_MS, "threads": 1}
    held |= {"ceiling_db": CEILING_DB, "target_db": TARGET_DB, "seed": SEED, "hop": HOP}
    circumstances = report.circumstances("level", held)
    report.write(circumstances | {"figures": found, "left_out": left_out}, options.json)
