"""Crops of pairs and of labelled speech, with all that a microphone, a room or a line may do to it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import torch

from persona_voice._core import F0Tracker, LogMel
from persona_voice._core import Path as StreamPath
from persona_voice.converter import SILENT, Frames
from training.synthesis import HOP, RATE, pulses
from training.whole import whole

# Of the path that a crop goes through, in samples: nothing that it hears depends on it.
LOOKAHEAD = 960
# Frames at the start of a crop that still hear the silence before it: a frame is 768 samples long.
SETTLE = 4
# About which her F0 lies, and what it never leaves.
HER_REGISTER_HZ = 205.0
HER_F0_HZ = (100.0, 450.0)
# Of a batch, what is pairs: the persona's own envelopes. The rest is labelled speech, of which there is far more,
# and of speakers whom the pairs do not know.
PAIRS_SHARE = 0.3
# How often each kind of source is taken, against the others of its pair.
SOURCE_WEIGHT = {"kokoro": 2.0, "kokoro+world": 1.6, "target+world": 0.6}
# Share of crops of pairs that are moved towards another of them, or away from it.
BETWEEN = 0.4
# Up to so many hops before a crop its stream has already heard, by which it knows the noise.
HEARD_BEFORE, BEFORE_STEP = 300, 5
# Share of crops that no room, noise or microphone has touched; of the others, that of noisy ones, and by how
# much the noise lies below the crop.
CLEAN = 0.3
NOISY, NOISE_DB = 0.75, (0, 25)
# Share of crops with other formants, and of those with another colour of voice.
MOVED = 0.3
# Share of crops without the highest frequencies, and where they end: recordings and lines at 8, 11, 16
# and 22 kHz.
RECORDED = 0.5
BANDWIDTHS_HZ = ((3300.0, 3900.0), (5000.0, 5400.0), (6800.0, 7900.0), (10_000.0, 11_000.0))
BANDWIDTH_SHARES = (0.15, 0.1, 0.55, 0.2)
# Share of speech without a partner that is played faster or slower, and the spread of the factor: another
# throat, another register and another pace at once.
REPLAYED, REPLAY_SPREAD = 0.5, 0.1


@dataclass(frozen=True)
class CropConfig:
    warm_frames: int = 8  # what a stream that begins in the middle of speech cannot know
    frames: int = 152  # judged


class Pairs:
    """All pairs of a cache in memory, as int16."""

    def __init__(self, cache: Path, hold_out: int) -> None:
        known = {file.stem for file in (cache / "envelopes").glob("*.npy")}
        files = [file for file in sorted((cache / "pairs").glob("*.npz")) if file.stem in known]
        files = files[hold_out:]
        if not files:
            raise SystemExit(
                f"no pairs in {cache}; run training.pairs and training.envelopes first"
            )
        self.items = [self.load(file) for file in files]
        self.weight = shares([len(item["target"]) for item in self.items])
        self.seconds = float(sum(len(item["target"]) for item in self.items)) / RATE

    @staticmethod
    def load(file: Path) -> dict:
        with np.load(file) as arrays:
            item = {"target": arrays["target"], "f0": arrays["f0"]}
            kinds = [source["engine"] for source in json.loads(str(arrays["meta"]))["sources"]]
            kept = [k for k, kind in enumerate(kinds) if kind in SOURCE_WEIGHT]
            item["sources"] = [arrays[f"source_{k}"] for k in kept]
            item["weight"] = shares([SOURCE_WEIGHT[kinds[k]] for k in kept])
        item["envelopes"] = np.load(file.parents[1] / "envelopes" / f"{file.stem}.npy")
        item["f0"] = over_unvoiced(item["f0"])
        return item


class Labelled:
    """Speech that the persona never said, with the envelopes that the teacher gives it, and F0 in her register."""

    def __init__(self, cache: Path) -> None:
        files = sorted((cache / "labelled").glob("*.npz"))
        if not files:
            raise SystemExit(f"no labelled speech in {cache}; run training.teacher first")
        self.items = [self.load(file) for file in files]
        self.weight = shares([len(source) for source, *_ in self.items])
        self.seconds = float(sum(len(source) for source, *_ in self.items)) / RATE

    @staticmethod
    def load(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with np.load(file) as arrays:
            source, answer = arrays["source"], arrays["envelopes"]
        return source, answer, in_her_register(tracked(source))


def made_by(folder: Path, who: str) -> Path:
    """The folder, made where there is none, if what is there already is by the same, too."""
    folder.mkdir(exist_ok=True)
    note = folder / "by"
    before = note.read_text() if note.exists() else "somebody else"
    if before != who:
        if any(file.suffix in {".npz", ".npy"} for file in folder.iterdir()):
            raise SystemExit(f"{folder} holds files by {before}, not by {who}; move it away")
        with whole(note) as out:
            out.write(who.encode())
    return folder


def over_unvoiced(f0_hz: np.ndarray) -> np.ndarray:
    """F0 for every moment: straight lines (in octaves) over the unvoiced ones, which are 0."""
    voiced = np.flatnonzero(f0_hz > 0)
    if len(voiced) == 0:
        return np.full(len(f0_hz), HER_REGISTER_HZ)
    octaves = np.log2(f0_hz[voiced].astype(np.float64))
    return np.asarray(np.exp2(np.interp(np.arange(len(f0_hz)), voiced, octaves)))


def tracked(source: np.ndarray) -> np.ndarray:
    """F0 in Hz at every moment of int16 samples, as the core finds it: 0 unvoiced."""
    tracker = F0Tracker()
    later = tracker.lookahead
    found = tracker.process(np.pad(source.astype(np.float32) / 32768, (0, later)))[:, 0]
    moments = len(source) // HOP + 1
    return found[later // HOP - 1 :][:moments]


def in_her_register(f0_hz: np.ndarray) -> np.ndarray:
    """For every moment, its median moved to hers."""
    everywhere = over_unvoiced(f0_hz)
    voiced = f0_hz[f0_hz > 0]
    middle = np.median(voiced) if len(voiced) else HER_REGISTER_HZ
    return np.clip(everywhere * HER_REGISTER_HZ / middle, *HER_F0_HZ)


def shares(weights: list[float]) -> np.ndarray:
    total = np.array(weights, np.float64)
    return total / total.sum() if len(total) else total


def colour(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """A microphone: tilt, a resonance, and often a narrower band."""
    if rng.random() < 0.6:
        tilt = float(rng.uniform(-0.5, 0.5))
        x = scipy.signal.lfilter([1.0, tilt], [1.0, tilt * 0.3], x) / (1 + 0.5 * abs(tilt))
    if rng.random() < 0.3:
        b, a = scipy.signal.iirpeak(rng.uniform(200, 5000), rng.uniform(0.7, 3), fs=RATE)
        x = x + float(rng.uniform(-0.6, 1.0)) * scipy.signal.lfilter(b, a, x)
    choice = rng.random()
    if choice < 0.20:  # telephone
        band = (float(rng.uniform(200, 350)), float(rng.uniform(3200, 3800)))
        x = scipy.signal.sosfilt(scipy.signal.butter(4, band, "bandpass", fs=RATE, output="sos"), x)
    elif choice < 0.45:  # 11 to 22 kHz recordings, lossy codecs
        edge = float(rng.uniform(3800, 10_000))
        x = scipy.signal.sosfilt(scipy.signal.butter(6, edge, fs=RATE, output="sos"), x)
    if rng.random() < 0.25:
        sos = scipy.signal.butter(2, float(rng.uniform(50, 250)), "highpass", fs=RATE, output="sos")
        x = scipy.signal.sosfilt(sos, x)
    return x


def room(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    length = int(RATE * rng.uniform(0.05, 0.4))
    decay = np.exp(-np.arange(length) / (length / 6.9))
    tail = rng.standard_normal(length) * decay
    tail[: int(RATE * rng.uniform(0.001, 0.01))] = 0
    tail *= 10 ** (rng.uniform(-18, -3) / 20) / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] = 1.0
    return scipy.signal.fftconvolve(x, tail)[: len(x)]


def noise(rng: np.random.Generator, n: int) -> np.ndarray:
    """White, pink, brown or in between, unit power, sometimes with hum."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 30.0)
    y = np.fft.irfft(spectrum * (f / 1000) ** -rng.uniform(0, 1.1), n)
    y /= y.std() + 1e-9
    if rng.random() < 0.2:
        t = np.arange(n) / RATE
        hum = sum(np.sin(2 * np.pi * 50 * k * t + k) / k for k in (1, 2, 3, 5))
        y = y + hum * rng.uniform(0, 1)
    return y


def degrade(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    x = colour(rng, x)
    if rng.random() < 0.25:
        x = room(rng, x)
    if rng.random() < NOISY:
        level = np.sqrt((x**2).mean()) + 1e-4
        x = x + level * 10 ** (-rng.uniform(*NOISE_DB) / 20) * noise(rng, len(x))
    if rng.random() < 0.05:
        limit = np.abs(x).max() * rng.uniform(0.2, 0.8)
        x = np.clip(x, -limit, limit)
    return x


def vocal_tract(rng: np.random.Generator, mel: np.ndarray) -> np.ndarray:
    """Formants moved by up to 12 % on the log-mel frames themselves."""
    bands = np.arange(mel.shape[1], dtype=np.float64)
    if rng.random() > MOVED:
        return mel
    # Above 1 kHz 12 % is 1.8 mels, about three bands; below, it grows with the frequency.
    shift = rng.uniform(-1, 1) * 2.8 * np.minimum(bands / 23.0, 1.0)
    at = np.clip(bands + shift, 0, mel.shape[1] - 1.001)
    low = at.astype(int)
    part = (at - low).astype(np.float32)
    return mel[:, low] * (1 - part) + mel[:, low + 1] * part


def timbre(rng: np.random.Generator, mel: np.ndarray) -> np.ndarray:
    """Another colour of voice: slow waves along the bands, together about 4 dB."""
    if rng.random() > MOVED:
        return mel
    bands = np.arange(mel.shape[1])[None] + 0.5
    waves = np.arange(1, 7)[:, None]
    curve = (rng.standard_normal((6, 1)) * np.cos(np.pi * waves * bands / mel.shape[1])).sum(0)
    return mel + (0.4 * curve).astype(np.float32)


@dataclass
class Crop:
    mel: np.ndarray  # [warm + frames, 80]
    envelopes: np.ndarray  # [reach + frames, 2, 80]
    # The persona's sound; of labelled speech, its own.
    target: np.ndarray  # [(reach + frames - 1) * HOP]
    pulse: np.ndarray  # same, at her F0


def crop_of_pair(rng: np.random.Generator, pairs: Pairs, config: CropConfig, reach: int) -> Crop:
    """One crop. The last feature frame ends one hop after the last moment, so that a head which is
    ``late`` frames late answers for moments ``reach - late ..`` of the envelopes."""
    item = pairs.items[rng.choice(len(pairs.items), p=pairs.weight)]
    first = int(rng.integers(-10, max(len(item["target"]) // HOP - config.frames, -9)))
    sources = item["sources"]
    if not sources or rng.random() < 0.03:
        source = item["target"]
    else:
        source = sources[rng.choice(len(sources), p=item["weight"])]
    heard = (first - config.warm_frames - SETTLE, first + config.frames)
    gain = any_gain(rng)
    before = hops_before(rng)
    mel = hear(rng, segment(source, (heard[0] - before) * HOP, heard[1] * HOP), before, gain)
    if rng.random() < BETWEEN:
        # A speaker who lies between two, or a little beyond one.
        share = np.float32(rng.uniform(-0.3, 0.6))
        others = [item["target"], *sources]
        other = segment(others[rng.integers(len(others))], heard[0] * HOP, heard[1] * HOP) * gain
        mel = (1 - share) * mel + share * log_mel(other)
    moment = np.arange(first - reach, first + config.frames)
    target = segment(item["target"], moment[0] * HOP, moment[-1] * HOP) * gain
    f0 = item["f0"][np.clip(moment, 0, len(item["f0"]) - 1)]
    return Crop(
        mel=another_speaker(rng, mel[SETTLE:]),
        envelopes=at_moments(item["envelopes"], moment, gain),
        target=target.astype(np.float32),
        pulse=pulses(f0, float(rng.random())),
    )


def crop_of_labelled(
    rng: np.random.Generator, labelled: Labelled, config: CropConfig, reach: int
) -> Crop:
    """The same of speech without a partner; in the place of the target sound is the source's own, clean."""
    source, envelopes, f0 = labelled.items[rng.choice(len(labelled.items), p=labelled.weight)]
    percent = 100
    if rng.random() < REPLAYED:
        percent = round(
            100 * float(np.clip(np.exp(REPLAY_SPREAD * rng.standard_normal()), 0.75, 1.3))
        )
    frames = config.warm_frames + SETTLE + config.frames
    length = frames * HOP * percent // 100 + 2
    start = int(rng.integers(-10 * HOP, max(len(source) - length, -9 * HOP)))
    before = hops_before(rng)
    # A whole number of samples, since `BEFORE_STEP` hops times a percent are one.
    audio = segment(source, start - before * HOP * percent // 100, start + length)
    if percent != 100:
        audio = scipy.signal.resample_poly(audio, 100, percent)
    audio = audio[: (before + frames) * HOP]
    gain = any_gain(rng)
    mel = hear(rng, audio, before, gain)
    # Moment m of the crop is (SETTLE + warm + m) hops after its start, on the crop's own clock.
    moment = np.arange(-reach, config.frames) + SETTLE + config.warm_frames
    at = start / HOP + moment * percent / 100
    low = np.floor(at).astype(int)
    part = (at - low)[:, None, None].astype(np.float32)
    now = (1 - part) * at_moments(envelopes, low, gain) + part * at_moments(
        envelopes, low + 1, gain
    )
    clean = audio[(before + moment[0]) * HOP : (before + moment[-1]) * HOP] * gain
    contour = np.interp(at, np.arange(len(f0)), f0)
    return Crop(
        mel=another_speaker(rng, mel[SETTLE:]),
        envelopes=now,
        target=clean.astype(np.float32),
        pulse=pulses(contour, float(rng.random())),
    )


def recorded(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """At a rate that holds less than ours: nothing at all above half of it, as 16 kHz leaves it."""
    if rng.random() > RECORDED:
        return x
    low, high = BANDWIDTHS_HZ[rng.choice(len(BANDWIDTHS_HZ), p=BANDWIDTH_SHARES)]
    edge = float(rng.uniform(low, high))
    spectrum = np.fft.rfft(x)
    hz = np.fft.rfftfreq(len(x), 1 / RATE)
    spectrum *= np.clip((edge - hz) / 200 + 1, 0, 1)
    return np.fft.irfft(spectrum, len(x))


def any_gain(rng: np.random.Generator) -> float:
    return float(10 ** (rng.uniform(-16, 6) / 20))


def hops_before(rng: np.random.Generator) -> int:
    """How much of the source the stream has heard before the crop."""
    return BEFORE_STEP * int(rng.integers(HEARD_BEFORE // BEFORE_STEP + 1))


def hear(rng: np.random.Generator, audio: np.ndarray, before: int, gain: float) -> np.ndarray:
    """What the network hears of the source as it may come in, one frame a hop, but the first `before`."""
    degraded = degrade(rng, audio) if rng.random() >= CLEAN else audio
    return as_streamed(recorded(rng, degraded) * gain)[before:]


def as_streamed(audio: np.ndarray) -> Frames:
    """Log-mel as a stream's converter gets it, without the steady noise."""
    heard: list[Frames] = []

    def keep(frames: Frames) -> Frames:
        heard.append(frames.copy())
        return np.full((len(frames), 2 * frames.shape[1]), SILENT, np.float32)

    path = StreamPath(sample_rate=RATE, lookahead=LOOKAHEAD, register_hz=200.0, range=1.0, seed=0)
    path.process(np.clip(audio, -1, 1).astype(np.float32), keep)
    return np.concatenate(heard)


def log_mel(audio: np.ndarray) -> np.ndarray:
    return LogMel().process(np.clip(audio, -1, 1).astype(np.float32))


def another_speaker(rng: np.random.Generator, mel: np.ndarray) -> np.ndarray:
    return timbre(rng, vocal_tract(rng, mel)).astype(np.float32)


def at_moments(envelopes: np.ndarray, moment: np.ndarray, gain: float) -> np.ndarray:
    """Log amplitudes at these moments, louder by ``gain``; silence outside."""
    answer = envelopes[np.clip(moment, 0, len(envelopes) - 1)].astype(np.float32)
    answer += np.float32(np.log(gain))
    answer[(moment < 0) | (moment >= len(envelopes))] = SILENT
    return np.maximum(answer, SILENT)


def segment(samples: np.ndarray, start: int, stop: int) -> np.ndarray:
    """``samples[start:stop]`` as float, with silence outside."""
    inside = samples[max(start, 0) : max(stop, 0)].astype(np.float32) / 32768.0
    before = min(max(-start, 0), stop - start)
    return np.pad(inside, (before, stop - start - before - len(inside)))


def of_pairs(batch: int) -> int:
    """How many items of a batch are pairs."""
    return max(round(batch * PAIRS_SHARE), 1)


class Crops(torch.utils.data.IterableDataset):
    """Batches without end, `of_pairs` first and then labelled speech; batch ``n`` depends on the seed
    and ``n`` alone."""

    def __init__(
        self,
        pairs: Pairs,
        labelled: Labelled,
        config: CropConfig,
        batch: int,
        seed: int,
        start: int,
        reach: int,
    ) -> None:
        self.pairs, self.labelled, self.config, self.batch = pairs, labelled, config, batch
        self.seed, self.start, self.reach = seed, start, reach

    def __iter__(self) -> Iterator[tuple]:
        worker = torch.utils.data.get_worker_info()
        step, stride = self.start, 1
        if worker is not None:
            step, stride = self.start + worker.id, worker.num_workers
        first = of_pairs(self.batch)
        while True:
            rng = np.random.default_rng([self.seed, step])
            crops = [crop_of_pair(rng, self.pairs, self.config, self.reach) for _ in range(first)]
            crops += [
                crop_of_labelled(rng, self.labelled, self.config, self.reach)
                for _ in range(self.batch - first)
            ]
            yield tuple(
                torch.from_numpy(np.stack([getattr(c, name) for c in crops]))
                for name in ("mel", "envelopes", "target", "pulse")
            )
            step += stride
