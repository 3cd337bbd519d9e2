"""The labelled set of the bench `vad`: who speaks when is known, since all noise is mixed in here.

Nobody and nothing in it was trained on. Labels follow from the level of the clean speech.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile

from benches.sources import Engines, Samples, Source, at_rate, gather
from training.speech import unpacked
from training.vad_scenes import Labels, level_db, own_noise_db, runs, speaking

# What all detectors can hear, and a frame of ours there.
RATE, HOP = 16_000, 160
SNRS_DB = (20, 10, 5, 0)
NOISES = ("pink", "brown", "babble", "music", "clicks")
SPEECH_DB, LEVELS_DB = -30.0, 3.0
PAUSES_S = (0.6, 2.2)
TALKERS = 8
# What stands out of a recording's noise for less is a click, and is then as quiet as this.
SHORTEST_HOPS, QUIET_DB = 3, -99.0
# Debian's, free: pieces of it are the music that people made. The rest is made here.
MUSIC_PACKAGE, MUSIC_FILES = "frozen-bubble-data", "*/snd/*.ogg"
SHORTEST_MUSIC_S = 20.0
SEED = 20261130


@dataclass(frozen=True)
class Condition:
    """A track with one noise: ``name`` is `clean`, one of `NOISES`, or `music alone`."""

    name: str
    snr_db: int | None
    samples: Samples  # mono at `RATE`, whole 16-bit numbers


@dataclass
class LabelledSet:
    speech: Labels  # of every hop
    conditions: list[Condition]
    music_alone: Samples
    voices: dict[str, int]  # how many utterances of each group
    skipped: dict[str, str] = field(default_factory=dict)

    def named(self, name: str, *snrs_db: int) -> list[Condition]:
        wanted = [one for one in self.conditions if one.name == name]
        return [one for one in wanted if not snrs_db or one.snr_db in snrs_db]


def build(engines: Engines, *, quick: bool) -> LabelledSet:
    sources, skipped = gather(engines, quick=quick)
    rng = np.random.default_rng(SEED)
    rng.shuffle(sources)  # type: ignore[arg-type]
    speech, labels = track(rng, sources)
    n = len(speech)
    try:
        pieces = list(recorded_music(engines.models))
    except (SystemExit, OSError) as reason:
        pieces, skipped = [], skipped | {"recorded music": str(reason)}
    played = music(rng, pieces, n)
    noises = {
        "pink": coloured(rng, n, 0.5),
        "brown": coloured(rng, n, 1.0),
        "babble": babble(rng, sources, n),
        "music": played,
        "clicks": keys(rng, n),
    }
    conditions = [Condition("clean", None, whole_numbers(speech))]
    for name in NOISES:
        for snr_db in SNRS_DB:
            noise = noises[name] * 10 ** ((SPEECH_DB - snr_db) / 20)
            conditions.append(Condition(name, snr_db, whole_numbers(speech + noise)))
    alone = whole_numbers(played * 10 ** (SPEECH_DB / 20))
    voices = {group: sum(one.group == group for one in sources) for group in groups(sources)}
    return LabelledSet(labels, conditions, alone, voices, skipped)


def groups(sources: list[Source]) -> list[str]:
    return sorted({one.group for one in sources})


def track(rng: np.random.Generator, sources: list[Source]) -> tuple[Samples, Labels]:
    """All one after the other, with pauses, each at about `SPEECH_DB` while it speaks."""
    sounds, labels = [np.zeros(RATE)], [np.zeros(RATE // HOP, bool)]
    for one in sources:
        sound = at_rate(one.samples, 48_000, RATE)
        sound = sound[: len(sound) // HOP * HOP]
        fade = np.minimum(np.arange(len(sound)) / HOP, 1)
        sound = sound * fade * fade[::-1]
        loud, bridged = labelled(sound)
        active = sound[np.repeat(loud, HOP)]
        level = SPEECH_DB + rng.uniform(-LEVELS_DB, LEVELS_DB)
        sounds.append(sound / np.sqrt((active**2).mean()) * 10 ** (level / 20))
        labels.append(bridged)
        pause = int(rng.uniform(*PAUSES_S) * RATE / HOP)
        sounds.append(np.zeros(pause * HOP))
        labels.append(np.zeros(pause, bool))
    return np.concatenate(sounds).astype(np.float32), np.concatenate(labels)


def labelled(sound: npt.NDArray[np.floating]) -> tuple[Labels, Labels]:
    """As in training, but neither a recording's own noise nor a click in it is taken for speech: some are old."""
    level = level_db(sound, HOP)
    noise_db = own_noise_db(level)
    for start, stop in runs(speaking(level, noise_db)[0]):
        if stop - start < SHORTEST_HOPS:
            level[start:stop] = QUIET_DB
    return speaking(level, noise_db)


def whole_numbers(samples: npt.NDArray[np.floating]) -> Samples:
    """As a converter of 16 bits gives them: some detectors know no others."""
    return (np.round(samples.clip(-1, 32767 / 32768) * 32768) / 32768).astype(np.float32)


def unit(samples: npt.NDArray[np.floating]) -> Samples:
    return (samples / np.sqrt((samples**2).mean())).astype(np.float32)


def coloured(rng: np.random.Generator, n: int, fall: float) -> Samples:
    """Amplitude falls with the frequency to this power, from 20 Hz on."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum *= np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20.0) ** -fall
    spectrum[0] = 0
    return unit(np.fft.irfft(spectrum, n))


def babble(rng: np.random.Generator, sources: list[Source], n: int) -> Samples:
    """Eight at once, real people as far as there are; each goes on without pauses."""
    people = sorted((one for one in sources if one.group == "real"), key=lambda one: one.name)
    out = np.zeros(n, np.float32)
    for k in rng.permutation(len(people))[:TALKERS]:
        sound = at_rate(people[k].samples, 48_000, RATE)
        sound = sound[: len(sound) // HOP * HOP]
        _, bridged = labelled(sound)
        spoken = unit(sound[np.repeat(bridged, HOP)])
        out += np.resize(np.roll(spoken, int(rng.integers(len(spoken)))), n)
    return unit(out)


def keys(rng: np.random.Generator, n: int) -> Samples:
    """Typing: each key goes down and, 60 to 110 ms later, up; six keys a second."""
    out = np.zeros(n + RATE)
    t = np.arange(RATE // 25) / RATE
    at = 0.0
    while at < n / RATE:
        for moment, gain in ((at, 1.0), (at + rng.uniform(0.06, 0.11), 0.5)):
            knock = rng.standard_normal(len(t)) * np.exp(-t / 0.002)
            case = np.sin(2 * np.pi * rng.uniform(250, 420) * t) * np.exp(-t / 0.008)
            plate = np.sin(2 * np.pi * rng.uniform(1700, 4100) * t) * np.exp(-t / 0.004)
            start = int(moment * RATE)
            out[start : start + len(t)] += gain * rng.uniform(0.5, 1) * (knock + case + 0.7 * plate)
        at += max(rng.normal(0.17, 0.05), 0.05)
    return unit(out[:n])


def recorded_music(models: Path) -> Iterator[Samples]:
    for file in sorted(unpacked(MUSIC_PACKAGE, models / "packages").rglob("*.ogg")):
        if soundfile.info(file).duration > SHORTEST_MUSIC_S:
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
            yield unit(at_rate(samples.mean(axis=1), rate, RATE))


def music(rng: np.random.Generator, pieces: list[Samples], n: int) -> Samples:
    """Stretches of 15 s, one recorded and one made here in turn."""
    stretch, parts, total, turn = 15 * RATE, [], 0, 0
    while total < n:
        if pieces and turn % 2 == 0:
            piece = pieces[turn // 2 % len(pieces)]
            start = int(rng.integers(max(len(piece) - stretch, 1)))
            part = unit(piece[start : start + stretch])
        else:
            part = unit(band(rng, stretch))
        parts.append(part)
        total, turn = total + len(part), turn + 1
    return unit(np.concatenate(parts)[:n])


def band(rng: np.random.Generator, n: int) -> Samples:
    """Four chords round and round: pad, bass, an arpeggio with vibrato, hi-hat and drum."""
    out = np.zeros(n + 4 * RATE)
    beat = 60 / rng.uniform(80, 140)
    chords = rng.permutation([(0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14)]).tolist()
    root, fall = rng.uniform(45, 57), rng.uniform(0.8, 1.6)

    def note(at_s: float, length_s: float, semitones: float, gain: float, decay: float) -> None:
        t = np.arange(int(length_s * RATE)) / RATE
        hz = 440 * 2 ** ((semitones - 69) / 12)
        phase = 2 * np.pi * hz * t + 0.2 * np.sin(2 * np.pi * 5 * t) * (decay < 3)
        wave = sum(np.sin(k * phase) / k**fall for k in range(1, int(min(10, 7000 / hz))))
        shape = np.minimum(t / 0.01, 1) * np.exp(-decay * t) * np.minimum((length_s - t) / 0.02, 1)
        start = int(at_s * RATE)
        out[start : start + len(t)] += gain * wave * shape

    for count in range(int(n / RATE / beat)):
        chord, at = chords[count // 4 % 4], count * beat
        if count % 4 == 0:
            for interval in chord:
                note(at, 4 * beat, root + interval, 0.3, 0.3)
        note(at, beat, root - 12 + chord[0], 0.6, 3.0)
        for half in (0, 1):
            high = root + 12 + chord[(2 * count + half) % 3]
            note(at + half * beat / 2, beat / 2, high, 0.4, 4.0 if count % 8 < 4 else 1.0)
            hat = np.diff(rng.standard_normal(RATE // 12 + 1))
            start = int((at + half * beat / 2) * RATE)
            out[start : start + len(hat)] += 0.15 * hat * np.exp(-np.arange(len(hat)) / 250)
        if count % 2 == 0:
            t = np.arange(RATE // 5) / RATE
            kick = np.sin(2 * np.pi * (55 * t + 4 * np.exp(-t * 25))) * np.exp(-t * 18)
            out[int(at * RATE) : int(at * RATE) + len(t)] += kick
    return scipy.signal.lfilter([1.0], [1.0, -0.2], out[:n]).astype(np.float32)
