"""Crops of pairs, with everything done to the source that a microphone, a room or a line may do."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import torch

from persona_voice._core import LogMel
from persona_voice.converter import SILENT
from training.synthesis import HOP, RATE, pulses

# Feature frame k ends at sample (k + 1) * HOP and stands for the middle of its 768 samples.
FRAME_CENTRE = 0.6  # hops before the frame's index: (k + 1) * 240 - 384 = 240 * (k - 0.6)
# Warps say the same at the same moment to the sample; time-aligned engines only nearly.
ENGINE_WEIGHT = {
    "kokoro": 2.0,
    "kokoro+world": 1.6,
    "target+world": 0.6,
    "espeak-ng": 0.8,
    "flite": 0.8,
}
# Those that keep time with the target to the sample.
IN_STEP = ("kokoro", "kokoro+world", "target+world")
# Share of their crops that are moved towards another of them, or away from it.
BETWEEN = 0.4
# Share of crops that reach the network as they were made.
CLEAN = 0.35


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
        weight = np.array([len(item["target"]) for item in self.items], float)
        self.weight = weight / weight.sum()
        self.seconds = float(sum(len(item["target"]) for item in self.items)) / RATE

    @staticmethod
    def load(file: Path) -> dict:
        with np.load(file) as arrays:
            item = {name: arrays[name] for name in arrays.files}
        item["meta"] = json.loads(str(item["meta"]))
        item["envelopes"] = np.load(file.parents[1] / "envelopes" / f"{file.stem}.npy")
        # F0 for every moment: straight lines (in octaves) over the unvoiced ones.
        f0 = item["f0"].astype(np.float64)
        voiced = np.flatnonzero(f0 > 0)
        if len(voiced) == 0:
            f0[:], voiced = 200.0, np.arange(len(f0))
        item["f0"] = np.exp2(np.interp(np.arange(len(f0)), voiced, np.log2(f0[voiced])))
        return item


def colour(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """A microphone: tilt, a resonance, and often a narrower band."""
    if rng.random() < 0.6:
        tilt = float(rng.uniform(-0.5, 0.5))
        x = scipy.signal.lfilter([1.0, tilt], [1.0, tilt * 0.3], x) / (1 + 0.5 * abs(tilt))
    if rng.random() < 0.3:
        b, a = scipy.signal.iirpeak(rng.uniform(200, 5000), rng.uniform(0.7, 3), fs=RATE)
        x = x + float(rng.uniform(-0.6, 1.0)) * scipy.signal.lfilter(b, a, x)
    choice = rng.random()
    if choice < 0.10:  # telephone
        band = (float(rng.uniform(200, 350)), float(rng.uniform(3200, 3800)))
        x = scipy.signal.sosfilt(scipy.signal.butter(4, band, "bandpass", fs=RATE, output="sos"), x)
    elif choice < 0.35:  # 11 to 22 kHz recordings, lossy codecs
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
    if rng.random() < 0.5:
        level = np.sqrt((x**2).mean()) + 1e-4
        x = x + level * 10 ** (-rng.uniform(10, 45) / 20) * noise(rng, len(x))
    if rng.random() < 0.05:
        limit = np.abs(x).max() * rng.uniform(0.2, 0.8)
        x = np.clip(x, -limit, limit)
    return x


def vocal_tract(rng: np.random.Generator, mel: np.ndarray) -> np.ndarray:
    """Formants moved by up to 12 % on the log-mel frames themselves."""
    bands = np.arange(mel.shape[1], dtype=np.float64)
    if rng.random() > 0.6:
        return mel
    # Above 1 kHz 12 % is 1.8 mels, about three bands; below, it grows with the frequency.
    shift = rng.uniform(-1, 1) * 2.8 * np.minimum(bands / 23.0, 1.0)
    at = np.clip(bands + shift, 0, mel.shape[1] - 1.001)
    low = at.astype(int)
    part = (at - low).astype(np.float32)
    return mel[:, low] * (1 - part) + mel[:, low + 1] * part


def timbre(rng: np.random.Generator, mel: np.ndarray) -> np.ndarray:
    """Another colour of voice: slow waves along the bands, together about 4 dB."""
    if rng.random() > 0.6:
        return mel
    bands = np.arange(mel.shape[1])[None] + 0.5
    waves = np.arange(1, 7)[:, None]
    curve = (rng.standard_normal((6, 1)) * np.cos(np.pi * waves * bands / mel.shape[1])).sum(0)
    return mel + (0.4 * curve).astype(np.float32)


@dataclass
class Crop:
    mel: np.ndarray  # [warm + frames, 80]
    envelopes: np.ndarray  # [reach + frames, 2, 80]
    target: np.ndarray  # [(reach + frames - 1) * HOP]
    pulse: np.ndarray  # same


def crop(
    rng: np.random.Generator, pairs: Pairs, config: CropConfig, reach: int, in_step: bool
) -> Crop:
    """One crop. The last feature frame ends one hop after the last moment, so that a head which is
    ``late`` frames late answers for moments ``reach - late ..`` of the envelopes. ``in_step``: from
    sources that keep time with the target to the sample, and from no others."""
    item = pairs.items[rng.choice(len(pairs.items), p=pairs.weight)]
    kinds = item["meta"]["sources"]
    weight = np.array([ENGINE_WEIGHT[kind["engine"]] for kind in kinds])
    exact = [k for k, kind in enumerate(kinds) if kind["engine"] in IN_STEP]
    if in_step:
        weight[[k for k in range(len(kinds)) if k not in exact]] = 0
    moments = len(item["target"]) // HOP
    first = int(rng.integers(-10, max(moments - config.frames, -9)))
    index = np.arange(first - config.warm_frames, first + config.frames)  # feature frames
    if weight.sum() == 0 or rng.random() < 0.03:
        source, path = item["target"], np.arange(moments, dtype=np.float32)
        keeps_time = True
    else:
        k = int(rng.choice(len(kinds), p=weight / weight.sum()))
        source, path = item[f"source_{k}"], item[f"path_{k}"]
        keeps_time = k in exact
    others = [item["target"], *(item[f"source_{k}"] for k in exact)]
    other = others[rng.integers(len(others))]
    # Where, in frames of the source, the middle of each wanted feature frame lies.
    middle = index - FRAME_CENTRE
    slope_ends = np.concatenate([[path[0] - 400], path, [path[-1] + 400]])
    grid = np.concatenate([[-400.0], np.arange(len(path)), [len(path) + 399.0]])
    at = np.interp(middle, grid, slope_ends) + FRAME_CENTRE
    low, high = int(np.floor(at.min())) - 8, int(np.ceil(at.max())) + 2
    audio = segment(source, low * HOP, (high + 1) * HOP)
    gain = 10 ** (rng.uniform(-16, 6) / 20)
    if rng.random() >= CLEAN:
        audio = degrade(rng, audio)
    mel = LogMel().process(np.clip(audio * gain, -1, 1).astype(np.float32))
    if keeps_time and rng.random() < BETWEEN:
        # A speaker who lies between two, or a little beyond one.
        share = np.float32(rng.uniform(-0.3, 0.6))
        second = np.clip(segment(other, low * HOP, (high + 1) * HOP) * gain, -1, 1)
        mel = (1 - share) * mel + share * LogMel().process(second.astype(np.float32))
    position = np.clip(at - low, 0, len(mel) - 1.001)
    whole = position.astype(int)
    part = (position - whole).astype(np.float32)[:, None]
    mel = mel[whole] * (1 - part) + mel[whole + 1] * part
    moment = np.arange(first - reach, first + config.frames)
    target = segment(item["target"], moment[0] * HOP, moment[-1] * HOP) * gain
    answer = item["envelopes"][np.clip(moment, 0, len(item["envelopes"]) - 1)].astype(np.float32)
    answer += np.float32(np.log(gain))
    answer[(moment < 0) | (moment >= len(item["envelopes"]))] = SILENT
    f0 = item["f0"][np.clip(moment, 0, len(item["f0"]) - 1)]
    return Crop(
        mel=timbre(rng, vocal_tract(rng, mel)).astype(np.float32),
        envelopes=np.maximum(answer, SILENT),
        target=target.astype(np.float32),
        pulse=pulses(f0, float(rng.random())),
    )


def segment(samples: np.ndarray, start: int, stop: int) -> np.ndarray:
    """``samples[start:stop]`` as float, with silence outside."""
    inside = samples[max(start, 0) : max(stop, 0)].astype(np.float32) / 32768.0
    before = min(max(-start, 0), stop - start)
    return np.pad(inside, (before, stop - start - before - len(inside)))


class Crops(torch.utils.data.IterableDataset):
    """Batches without end; batch ``n`` depends on the seed and ``n`` alone."""

    def __init__(
        self,
        pairs: Pairs,
        config: CropConfig,
        batch: int,
        seed: int,
        start: int,
        reach: int,
        in_step_from: int,
    ) -> None:
        self.pairs, self.config, self.batch = pairs, config, batch
        self.seed, self.start, self.reach = seed, start, reach
        self.in_step_from = in_step_from

    def __iter__(self) -> Iterator[tuple]:
        worker = torch.utils.data.get_worker_info()
        step, stride = self.start, 1
        if worker is not None:
            step, stride = self.start + worker.id, worker.num_workers
        while True:
            rng = np.random.default_rng([self.seed, step])
            in_step = step >= self.in_step_from
            crops = [
                crop(rng, self.pairs, self.config, self.reach, in_step) for _ in range(self.batch)
            ]
            yield tuple(
                torch.from_numpy(np.stack([getattr(c, name) for c in crops]))
                for name in ("mel", "envelopes", "target", "pulse")
            )
            step += stride
