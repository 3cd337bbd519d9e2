"""Scenes for the voice activity detector: who speaks and when is known, since speech is mixed in last.

Speech is that of `training.speech` and `training.speakers`: nobody whom a bench judges with. Music and noises are
recordings in Debian packages, which ``apt-get download`` puts into ``DIR/packages``, and what is made here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile

from training.data import colour, recorded, room
from training.pairs import to_rate
from training.speech import unpacked
from training.synthesis import HOP, RATE

Samples = npt.NDArray[np.float32]
Labels = npt.NDArray[np.bool_]

# Music without words, and noises; frozen-bubble-data is the bench's.
MUSIC_PACKAGES = (
    "singularity-music", "xmoto-data", "extremetuxracer-data", "ardentryst", "hyperrogue-music",
    "fretsonfire-songs-sectoid", "wesnoth-1.16-music", "planetblupi-music-ogg",
)  # fmt: skip
NOISE_PACKAGES = (
    "lincity-ng-data", "extremetuxracer-data", "pinball-table-gnu-data", "ardentryst",
    "sound-theme-freedesktop",
)  # fmt: skip
# Their files that speak, or nearly.
SPOKEN = re.compile(r"audio-(channel|test)|VOI_|PAIN|AMB_|free|gnu|gpl|speak|dzia|princess|prince")
MUSIC_S, NOISE_S = 20.0, 0.15
# A scene, and of how much of a piece of music is taken.
SCENE_S, EXCERPT_S = 8.0, 60.0
# A frame is speech within so much of the loud ones, and gaps shorter than this are closures.
RANGE_DB, LOUD_PERCENTILE, GAP_HOPS = 38.0, 95, 15
# Digital silence says nothing of a recording.
SILENT_DB = -100.0
# Of a hop's labels: loud, speech (what is loud with its closures), and one that nobody can be sure of.
LOUD, SPEECH, UNSURE, KINDS = 0, 1, 2, 3
# What stands out of a recording's own noise by less cannot be labelled by its level; by less than the other, only
# away from its speech.
FOREGROUND_DB, CLEAN_DB, PAUSES = 32.0, 41.0, 0.05
UNSURE_HOPS = 4


def level_db(samples: npt.NDArray[np.floating], hop: int = HOP) -> npt.NDArray[np.float64]:
    """Of every hop, dBFS, -120 at least."""
    whole = samples[: len(samples) // hop * hop].astype(np.float64).reshape(-1, hop)
    return 10 * np.log10((whole**2).mean(axis=1) + 1e-12)


def own_noise_db(level: npt.NDArray[np.float64]) -> float:
    """Below this, a recording with pauses is as likely its own noise as speech."""
    return float(np.percentile(level[level > SILENT_DB], 2)) + 12


def speaking(level: npt.NDArray[np.float64], least_db: float = SILENT_DB) -> tuple[Labels, Labels]:
    """From the level of clean speech, whether each hop is speech; and the same with closures bridged."""
    loud_db = float(np.percentile(level[level > SILENT_DB], LOUD_PERCENTILE))
    loud = level > max(loud_db - RANGE_DB, least_db)
    bridged = loud.copy()
    at = np.flatnonzero(loud)
    for one, other in pairwise(at):
        if other - one <= GAP_HOPS:
            bridged[one:other] = True
    return loud, bridged


def labelled(level: npt.NDArray[np.float64]) -> Labels:
    """From the level of a recording, the `KINDS` of every hop: beside its speech, what is no louder than the
    recording's own noise may be speech or not, unless it is `clean`."""
    if clean(level):
        loud, bridged = speaking(level)
        return np.stack([loud, bridged, np.zeros_like(loud)], axis=1)
    loud, bridged = speaking(level, own_noise_db(level))
    near = np.convolve(loud, np.ones(2 * UNSURE_HOPS + 1), "same") > 0.5
    return np.stack([loud, bridged, near & ~loud], axis=1)


def stands_out_db(level: npt.NDArray[np.float64]) -> float:
    """By how much its loud hops are above the quietest that are not digital silence."""
    heard = level[level > SILENT_DB]
    return float(np.percentile(heard, LOUD_PERCENTILE) - np.percentile(heard, 2))


def clean(level: npt.NDArray[np.float64]) -> bool:
    """Whether its pauses, if it has some, are so quiet that all else is speech."""
    _, bridged = speaking(level)
    quiet = level[~bridged]
    loud_db = np.percentile(level, LOUD_PERCENTILE)
    return bool(len(quiet) > PAUSES * len(level) and loud_db - np.median(quiet) > CLEAN_DB)


def runs(labels: Labels) -> list[tuple[int, int]]:
    """First and one past the last hop of every stretch of speech."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@dataclass
class Utterance:
    """A file of speech, int16, and where in it somebody speaks."""

    name: str
    samples: npt.NDArray[np.int16]
    labels: Labels  # [hops, KINDS]
    foreground: bool


def utterances(cache: Path) -> list[Utterance]:
    found = []
    for folder in ("speech", "speakers"):
        for file in sorted((cache / folder).glob("*.flac")):
            samples, _ = soundfile.read(file, dtype="int16")
            level = level_db(samples / np.float32(32768))
            if len(level) <= 50 or level.max() <= -60:
                continue
            labels = labelled(level)
            if labels[:, SPEECH].any():
                foreground = stands_out_db(level) > FOREGROUND_DB or clean(level)
                found.append(Utterance(file.stem, samples, labels, foreground))
    if not found:
        raise SystemExit(f"no speech in {cache}; run training.speech first")
    return found


def recordings(cache: Path, packages: tuple[str, ...], *, music: bool) -> Iterator[Samples]:
    for package in packages:
        folder = unpacked(package, cache / "packages")
        for file in sorted(folder.rglob("*")):
            if file.suffix not in (".ogg", ".oga", ".wav") or SPOKEN.search(file.name):
                continue
            try:
                seconds = soundfile.info(file).duration
                if (seconds > MUSIC_S) != music or seconds < NOISE_S:
                    continue
                samples = excerpt(file)
            except soundfile.LibsndfileError:
                continue
            if (samples**2).mean() > 1e-7:
                yield (samples / np.sqrt((samples**2).mean())).astype(np.float32)


def excerpt(file: Path) -> Samples:
    """float32 mono at 24 kHz, up to `EXCERPT_S`."""
    rate = soundfile.info(file).samplerate
    samples, _ = soundfile.read(file, frames=int(EXCERPT_S * rate), dtype="float32", always_2d=True)
    return to_rate(samples.mean(axis=1), rate)


@dataclass
class Sounds:
    """Everything that a scene is made of, in memory."""

    speech: list[Utterance]
    talkers: list[Utterance]
    music: list[Samples]
    noises: list[Samples]

    @classmethod
    def of(cls, cache: Path) -> "Sounds":
        talkers = utterances(cache)
        return cls(
            [one for one in talkers if one.foreground],
            talkers,
            list(recordings(cache, MUSIC_PACKAGES, music=True)),
            list(recordings(cache, NOISE_PACKAGES, music=False)),
        )


def scene(rng: np.random.Generator, sounds: Sounds) -> tuple[Samples, Labels]:
    """Sound, and the `KINDS` of every hop."""
    n = int(SCENE_S * RATE)
    speech, labels = said(rng, sounds, n)
    spoken = labels[:, SPEECH]
    if rng.random() < 0.35 and spoken.any():
        speech = room(rng, speech)
    speech = colour(rng, speech)
    noise = around(rng, sounds, n)
    snr_db = rng.uniform(-3, 30) if rng.random() < 0.9 else rng.choice([60.0, np.inf])
    if spoken.any():
        active = speech[np.repeat(spoken, HOP)]
        speech = speech / (np.sqrt((active**2).mean()) + 1e-9)
        noise = noise * 10 ** (-snr_db / 20)
    mixed = recorded(rng, speech + noise)
    mixed = mixed / (np.abs(mixed).max() + 1e-9) * 10 ** (-rng.uniform(0, 45) / 20)
    if rng.random() < 0.03:
        mixed = np.clip(2 * mixed, *(np.array([-1, 1]) * np.abs(mixed).max()))
    if rng.random() < 0.5:
        mixed = np.round(mixed * 32767) / 32767
    return mixed.astype(np.float32), labels


def said(rng: np.random.Generator, sounds: Sounds, n: int) -> tuple[Samples, Labels]:
    """Somebody's phrases with pauses; nobody's in one scene of eight."""
    out = np.zeros(n)
    labels = np.zeros((n // HOP, KINDS), bool)
    if rng.random() < 0.12:
        return out, labels
    at = int(rng.exponential(60)) if rng.random() < 0.85 else 0
    one = sounds.speech[rng.integers(len(sounds.speech))]
    percent = int(rng.choice([85, 90, 95, 105, 110, 115])) if rng.random() < 0.5 else 100
    level_changes = rng.random() < 0.3
    while at < n // HOP:
        if rng.random() < 0.15:
            one = sounds.speech[rng.integers(len(sounds.speech))]
        piece, its_labels = phrase(rng, one, percent)
        hops = min(len(its_labels), n // HOP - at)
        gain = 10 ** (rng.normal(0, 4) / 20) if level_changes else 1.0
        out[at * HOP : (at + hops) * HOP] = gain * piece[: hops * HOP]
        labels[at : at + hops] |= its_labels[:hops]
        at += hops + 5 + int(rng.exponential(70))
    return out, labels


def phrase(rng: np.random.Generator, one: Utterance, percent: int) -> tuple[Samples, Labels]:
    """One to a few stretches of speech and the pauses between, faded where it is cut."""
    stretches = runs(one.labels[:, SPEECH])
    first = int(rng.integers(len(stretches)))
    last = min(first + int(rng.integers(0, 4)), len(stretches) - 1)
    before = stretches[first - 1][1] if first else 0
    after = stretches[last + 1][0] if last + 1 < len(stretches) else len(one.labels)
    start = max(stretches[first][0] - 8, before)
    stop = min(stretches[last][1] + 12, after, start + 500)
    piece = one.samples[start * HOP : stop * HOP] / np.float32(32768)
    fade = np.minimum(np.arange(len(piece)) / 48, 1)
    piece = piece * fade * fade[::-1]
    labels = one.labels[start:stop]
    piece /= np.sqrt((piece[np.repeat(labels[:, LOUD], HOP)] ** 2).mean()) + 1e-6
    if percent != 100:
        piece = scipy.signal.resample_poly(piece, percent, 100)
        hops = len(piece) // HOP
        labels = labels[np.minimum(np.arange(hops) * 100 // percent, stop - start - 1)]
    return piece.astype(np.float32), labels


def around(rng: np.random.Generator, sounds: Sounds, n: int) -> Samples:
    """What is not the speaker: of unit power where it sounds."""
    kinds = [steady, hum, babble, music, impacts, effects]
    made = kinds[rng.choice(6, p=[0.2, 0.08, 0.23, 0.3, 0.12, 0.07])](rng, sounds, n)
    if rng.random() < 0.15:
        other = kinds[rng.choice(6)](rng, sounds, n)
        made = made + 10 ** (rng.uniform(-15, 0) / 20) * other
    if rng.random() < 0.25:
        made = room(rng, made)
    if rng.random() < 0.15:
        made = colour(rng, made)
    if rng.random() < 0.2:
        edge = int(rng.integers(n))
        made[:edge] *= 10 ** (rng.uniform(-40, 10) / 20)
    floor = rng.standard_normal(n) * 10 ** (rng.uniform(-60, -30) / 20) * (rng.random() < 0.8)
    return made / (np.sqrt((made**2).mean()) + 1e-9) + floor


def steady(rng: np.random.Generator, _: Sounds, n: int) -> Samples:
    """From white to brown and beyond, its colour bent at random, sometimes with slow waves."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20.0)
    spectrum *= (hz / 1000) ** -rng.uniform(0, 1.3)
    if rng.random() < 0.5:
        knots = np.geomspace(50, 12_000, 6)
        spectrum *= 10 ** (np.interp(np.log(hz), np.log(knots), rng.normal(0, 6, 6)) / 20)
    y = np.fft.irfft(spectrum, n)
    y /= y.std() + 1e-9
    if rng.random() < 0.3:
        t = np.arange(n) / RATE
        wave = np.sin(2 * np.pi * rng.uniform(0.05, 8) * t + rng.uniform(0, 6))
        y = y * 10 ** (rng.uniform(1, 8) * wave / 20)
    return y


def hum(rng: np.random.Generator, sounds: Sounds, n: int) -> Samples:
    """Of mains, fans and whistles: partials that stand still, alone or in noise."""
    base = rng.choice([50, 60, 100, 120]) * rng.uniform(0.97, 1.03)
    if rng.random() < 0.4:
        base = np.exp(rng.uniform(np.log(40), np.log(900)))
    t, fall = np.arange(n) / RATE, rng.uniform(0.3, 2)
    partials = range(1, int(min(rng.integers(2, 24), 11_000 / base + 2)))
    gains = [rng.choice([1, rng.random()]) / k**fall for k in partials]
    y = sum(g * np.sin(2 * np.pi * base * k * t + k) for k, g in zip(partials, gains, strict=True))
    return y / (y.std() + 1e-9) + rng.choice([0, rng.uniform(0, 1)]) * steady(rng, sounds, n)


def babble(rng: np.random.Generator, sounds: Sounds, n: int) -> Samples:
    out = np.zeros(n)
    for _ in range(int(rng.integers(5, 13))):
        talk = sounds.talkers[rng.integers(len(sounds.talkers))]
        samples = talk.samples[np.repeat(talk.labels[:, SPEECH], HOP).nonzero()[0]].astype(
            np.float32
        )
        samples = np.resize(np.roll(samples, int(rng.integers(len(samples)))), n)
        out += samples / (samples.std() + 1e-6) * 10 ** (rng.normal(0, 1.5) / 20)
    return out


def music(rng: np.random.Generator, sounds: Sounds, n: int) -> Samples:
    if rng.random() < 0.2:
        return tune(rng, n)
    piece = sounds.music[rng.integers(len(sounds.music))]
    start = int(rng.integers(max(len(piece) - n, 1)))
    piece = piece[start : start + n + n // 4]
    if rng.random() < 0.4:
        piece = scipy.signal.resample_poly(piece, int(rng.choice([7, 9])), 8)
    return np.resize(piece, n).astype(np.float64)


def tune(rng: np.random.Generator, n: int) -> Samples:
    """Notes of a scale, several at a time, of one or two timbres; drums under half of it."""
    out = np.zeros(n)
    beat_s, root = rng.uniform(0.15, 0.6), rng.uniform(40, 65)
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24])
    timbres = [(rng.uniform(0.3, 2.0), rng.uniform(1, 12), rng.uniform(0.003, 0.1)) for _ in "ab"]
    for beat in np.arange(0, n / RATE, beat_s):
        start = int(beat * RATE)
        for voice in range(int(rng.integers(0, 3))):
            fall, decay, rise = timbres[voice % 2]
            seconds = beat_s * rng.uniform(1, 4)
            t = np.arange(min(int(seconds * RATE), n - start)) / RATE
            hz = 440 * 2 ** ((root + rng.choice(scale) - 69) / 12)
            swing = 1 + 0.006 * rng.random() * np.sin(2 * np.pi * 5.5 * t)
            parts = range(1, int(min(9, 11_000 / hz)))
            wave = sum(np.sin(2 * np.pi * hz * k * t * swing + k) / k**fall for k in parts)
            out[start : start + len(t)] += wave * np.exp(-t * decay) * np.minimum(t / rise, 1)
        if rng.random() < 0.5:
            out[start:] += drum(rng, n - start) * rng.uniform(0, 3)
    return out + 1e-3 * rng.standard_normal(n)


def drum(rng: np.random.Generator, n: int) -> Samples:
    t = np.arange(min(n, RATE // 4)) / RATE
    skin = np.sin(2 * np.pi * rng.uniform(50, 200) * t) * rng.random()
    noise = np.diff(rng.standard_normal(len(t) + 1)) * rng.random()
    return np.pad((skin + noise) * np.exp(-t * rng.uniform(10, 60)), (0, n - len(t)))


def impacts(rng: np.random.Generator, _: Sounds, n: int) -> Samples:
    """Knocks, keys, claps: bursts through resonances, one by one or in showers."""
    out = np.zeros(n + RATE)
    at, pace_s = 0, rng.uniform(0.03, 0.6)
    centre, ring = rng.uniform(200, 7000), rng.uniform(0.001, 0.03)
    while at < n:
        t = np.arange(int(8 * ring * RATE) + 24) / RATE
        burst = rng.standard_normal(len(t)) * np.exp(-t / ring)
        hz = centre * rng.uniform(0.7, 1.4)
        burst += rng.uniform(0, 3) * np.sin(2 * np.pi * hz * t) * np.exp(-t / ring / 2)
        if rng.random() < 0.5:
            burst = np.convolve(burst, np.ones(4) / 4, "same")
        out[at : at + len(t)] += burst * 10 ** (rng.normal(0, 5) / 20)
        at += int(RATE * (rng.exponential(pace_s) + 0.004))
    return out[:n]


def effects(rng: np.random.Generator, sounds: Sounds, n: int) -> Samples:
    """Recorded noises, one after the other, with gaps."""
    out = 1e-3 * rng.standard_normal(n)
    at = int(rng.exponential(0.3) * RATE)
    one = sounds.noises[rng.integers(len(sounds.noises))]
    while at < n:
        if rng.random() < 0.4:
            one = sounds.noises[rng.integers(len(sounds.noises))]
        stop = min(at + len(one), n)
        out[at:stop] += one[: stop - at]
        at = stop + int(rng.exponential(0.3) * RATE)
    return out
