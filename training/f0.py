"""Trains what the F0 tracks go by, from nothing to `rust_core/src/f0/network.weights`.

    python -m training.f0 --cache DIR [--sounds 500] [--variants 7] [--steps 4000] [--out FILE]

Needs what `training.speech` left in ``DIR``. Real people, none of whom the bench hears, are put together again
with a contour that is moved at random (`training.contours`), once, in ``DIR/f0``; with tones whose contour is drawn
and noise alone. Each is heard played faster and slower, clean, in noise, over the telephone, at several levels.
Every eighth sound is held out, for thresholds and calibration.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile
import torch
from torch import Tensor

from persona_voice._core import HOP, F0Evidence
from training.contours import (
    FRAME_MS,
    KINDS,
    RATE,
    Floats,
    Samples,
    contour_at,
    levels_db,
    noise,
    resynthesised,
)
from training.f0_network import (
    FAST_SAMPLES,
    LATE_SAMPLES,
    LOWEST_HZ,
    PITCHES,
    PITCHES_AN_OCTAVE,
    WEIGHTS,
    F0Network,
    halved,
    save,
)
from training.whole import whole

SEED = 3
SOUND_S = 5
# Of a speaker, or of the many speakers of a game.
SOUNDS_A_SPEAKER, SOUNDS_A_GAME = 9, 36
TONES, NOISES = 60, 16
HOPS, BATCH, SETTLING = 100, 32, 10
RATE_HIGH, AVERAGE = 4e-3, 0.99
JUDGE_EVERY = 200
LATE_WEIGHT = 1.0
RIGHT_OCTAVES = 1 / 24
# Of the fast track and the late one, which is asked what is in noise: there voice that is missed costs as much
# as two frames that are none.
VOICED_FROM = (1 / 2, 1 / 3)


@dataclass(frozen=True)
class Sound:
    """Sound, its F0 every `FRAME_MS` as `training.contours` has it, and the power of what is spoken."""

    samples: Samples
    f0_hz: Floats
    power: float


@dataclass(frozen=True)
class Heard:
    """Evidence ``[hops, 332]``, half floats, and F0 ``[hops, 2]``, fast and late: 0 unvoiced, NaN not known."""

    evidence: npt.NDArray[np.float16]
    f0_hz: npt.NDArray[np.float32]


def gather(cache: Path, count: int) -> None:
    """``cache/f0/NAME.npz``: a sound with its exact contour, and as it was recorded. Goes on where it stopped."""
    folder = cache / "f0"
    folder.mkdir(parents=True, exist_ok=True)
    for file in chosen(cache / "speech")[:count]:
        out = folder / f"{file.stem}.npz"
        if out.exists():
            continue
        rng = np.random.default_rng([SEED, *file.stem.encode()])
        samples, rate = soundfile.read(file, dtype="float32")
        if rate != RATE:
            raise SystemExit(f"{file} must be at {RATE} Hz, is at {rate} Hz")
        start = int(rng.integers(max(1, len(samples) - SOUND_S * RATE)))
        moved = float(rng.choice([0.0, rng.uniform(-7, 7), rng.uniform(-12, 14)]))
        part = samples[start : start + SOUND_S * RATE]
        made, natural = resynthesised(file.stem, part, moved, float(rng.uniform(24, 36)))
        with whole(out) as into:
            np.savez(
                into,
                made=made.samples,
                f0=made.f0_hz,
                natural=natural.samples,
                f0n=natural.f0_hz,
            )
        print(f"{file.stem}, moved by {moved:+.1f} semitones", flush=True)


def chosen(speech: Path) -> list[Path]:
    speakers = defaultdict(list)
    for file in sorted(speech.glob("real_*.flac")):
        speakers[file.stem.rsplit("_", 1)[0]].append(file)
    rng = np.random.default_rng(SEED)
    files = []
    for name, of in speakers.items():
        count = SOUNDS_A_GAME if "fillets" in name else SOUNDS_A_SPEAKER
        files += [of[k] for k in rng.permutation(len(of))[:count]]
    return [files[k] for k in rng.permutation(len(files))]


def sounds(folder: Path, count: int) -> list[Sound]:
    """Put together again, three times for once as recorded; tones; noise alone."""
    made = []
    for n, file in enumerate(sorted(folder.glob("*.npz"))[:count]):
        with np.load(file) as arrays:
            natural = n % 4 == 3
            samples = arrays["natural" if natural else "made"]
            made.append(Sound(samples, arrays["f0n" if natural else "f0"], spoken(samples)))
    rng = np.random.default_rng(SEED)
    made += [tone(rng) for _ in range(TONES)]
    frames = SOUND_S * 1000 // FRAME_MS
    quiet = Sound(np.zeros(SOUND_S * RATE, np.float32), np.zeros(frames), 1e-3)
    return made + [quiet] * NOISES


def spoken(samples: Samples) -> float:
    """Power of the stretches that are not faint, as `training.contours.in_noise` has it."""
    loud = levels_db(samples, len(samples) * 1000 // (RATE * FRAME_MS)) > -30.0
    loud = np.repeat(loud, RATE * FRAME_MS // 1000)
    return float(np.mean(samples[: len(loud)][loud].astype(np.float64) ** 2) + 1e-9)


def tone(rng: np.random.Generator) -> Sound:
    """Harmonics of a contour that wanders, over stretches with pauses between."""
    frames = SOUND_S * 1000 // FRAME_MS
    knots = int(rng.integers(2, 16))
    octaves = np.clip(
        rng.uniform(0.1, 3.9) + rng.uniform(0, 0.6) * rng.standard_normal(knots), 0.02, 4
    )
    place = np.interp(np.linspace(0, knots - 1, frames), np.arange(knots), octaves)
    if rng.random() < 0.3:
        wave = np.sin(2 * np.pi * rng.uniform(3, 7) * np.arange(frames) * FRAME_MS / 1000)
        place = np.clip(place + rng.uniform(0, 0.1) * wave, 0.02, 4)
    f0_hz = LOWEST_HZ * 2**place
    voiced = np.repeat(rng.random(SOUND_S * 4) < 0.8, frames // (SOUND_S * 4))
    t = np.arange(SOUND_S * RATE) * 1000 / (RATE * FRAME_MS)
    phase = 2 * np.pi * np.cumsum(np.interp(t, np.arange(frames), f0_hz)) / RATE
    low, high = (300, 3400) if rng.random() < 0.3 else (40, 4000)
    fall, formant = rng.uniform(0.3, 1.7), rng.uniform(200, 1500)
    samples = np.zeros(len(t))
    for h in range(1, int(high / f0_hz.min()) + 1):
        hz = np.interp(t, np.arange(frames), h * f0_hz)
        level = h**-fall * (1 + 4 * np.exp(-(((hz - formant) / 150) ** 2)))
        samples += level * ((hz > low) & (hz < high)) * np.sin(h * phase + rng.uniform(0, 6.3))
    gate = np.convolve(np.repeat(voiced, len(t) // frames), np.hanning(241) / 120, "same")[: len(t)]
    samples *= 0.1 * gate / (np.sqrt(np.mean(samples**2)) + 1e-9)
    return Sound(samples.astype(np.float32), np.where(voiced, f0_hz, 0.0), 1e-2)


def hear(sound: Sound, kinds: dict[str, Floats], others: list[Sound], seed: list[int]) -> Heard:
    """One variant of a sound."""
    rng = np.random.default_rng(seed)
    percent = round(100 * 2 ** rng.uniform(-0.4, 0.4)) if rng.random() < 0.7 else 100
    faster = percent / 100
    samples = sound.samples
    if percent != 100:
        samples = scipy.signal.resample_poly(samples, 100, percent)
    samples = spoilt(samples.astype(np.float64), sound.power, kinds, others, rng)
    lead = int(rng.integers(HOP))
    evidence = F0Evidence().process(np.ascontiguousarray(samples[lead:], np.float32))
    ends = lead + HOP * np.arange(1, len(evidence) + 1)
    f0 = [
        contour_at(sound.f0_hz, faster * (ends - of) / RATE) for of in (FAST_SAMPLES, LATE_SAMPLES)
    ]
    f0_hz = faster * np.stack(f0, 1)
    f0_hz[(f0_hz > 0) & ((f0_hz < LOWEST_HZ) | (f0_hz > 900))] = np.nan
    f0_hz[(ends[:, None] - [FAST_SAMPLES, LATE_SAMPLES]) < 0] = 0.0
    return Heard(evidence.astype(np.float16), f0_hz.astype(np.float32))


def spoilt(
    samples: Floats,
    power: float,
    kinds: dict[str, Floats],
    others: list[Sound],
    rng: np.random.Generator,
) -> Floats:
    """Over the telephone or tilted at times, in noise that is hardly there or louder than speech."""
    place = rng.random()
    if place < 0.1:
        band = [rng.uniform(150, 350), 3400]
        telephone = scipy.signal.butter(2, band, "bandpass", fs=RATE, output="sos")
        samples = scipy.signal.sosfilt(telephone, samples)
    elif place < 0.2:
        samples = scipy.signal.lfilter([1, -rng.uniform(0.3, 0.95)], [1], samples)
    if place < 0.2:
        power = float(np.percentile(samples**2, 90)) / 2 + 1e-9
    kind = str(rng.choice(["pink", "pink", "pink", "white", "brown", "babble"]))
    snr_db = float(rng.uniform(30, 80) if rng.random() < 0.3 else rng.uniform(-4, 25))
    if kind == "babble":
        talkers = [others[n].samples for n in rng.integers(len(others), size=8)]
        other = np.sum(
            [np.resize(of, len(samples)) / np.sqrt(np.mean(of**2) + 1e-9) for of in talkers], axis=0
        )
        snr_db = max(snr_db, 3.0)
    else:
        start = int(rng.integers(len(kinds[kind]) - len(samples)))
        other = kinds[kind][start : start + len(samples)]
    gain = np.sqrt(power / (np.mean(other**2) + 1e-12)) * 10 ** (-snr_db / 20)
    mixed = (samples + gain * other) * 10 ** (rng.uniform(-25, 8) / 20)
    return np.asarray(mixed)


def pool(base: list[Sound], variants: int) -> tuple[list[Heard], list[Heard]]:
    """To learn from, and held out."""
    rng = np.random.default_rng(SEED)
    kinds = {kind: noise(kind, 1 << 21, rng) for kind in KINDS}
    people = [of for of in base if of.f0_hz.any()]
    groups: tuple[list[Heard], list[Heard]] = ([], [])
    for n, sound in enumerate(base):
        for k in range(variants):
            groups[n % 8 == 5].append(hear(sound, kinds, people, [SEED, n, k]))
    return groups


def wanted(f0_hz: Tensor) -> Tensor:
    """A share for each pitch, and for none; nothing where F0 is not known."""
    place = PITCHES_AN_OCTAVE * torch.log2(f0_hz.nan_to_num(0.0).clamp(min=LOWEST_HZ) / LOWEST_HZ)
    below = place.floor().clamp(max=PITCHES - 2)
    part = (place - below).clamp(0, 1)
    made = torch.zeros(*f0_hz.shape, PITCHES + 1)
    made.scatter_(-1, below.long()[..., None], (1 - part)[..., None])
    made.scatter_(-1, below.long()[..., None] + 1, part[..., None])
    made[f0_hz == 0] = torch.nn.functional.one_hot(torch.tensor(PITCHES), PITCHES + 1).float()
    made[f0_hz.isnan()] = 0.0
    return made


def some(heard: list[Heard], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    evidence, truth = [], []
    for n in rng.integers(len(heard), size=BATCH):
        of = heard[n]
        start = int(rng.integers(max(1, len(of.evidence) - HOPS)))
        evidence.append(of.evidence[start : start + HOPS])
        truth.append(of.f0_hz[start : start + HOPS])
    return torch.from_numpy(np.stack(evidence)).float(), torch.from_numpy(np.stack(truth))


def off(logits: Tensor, f0_hz: Tensor) -> Tensor:
    truth = wanted(f0_hz[:, SETTLING:])
    return -(truth * torch.log_softmax(logits[:, SETTLING:], -1)).sum() / truth.sum()


def learn(learnt: list[Heard], held_out: list[Heard], steps: int) -> F0Network:
    torch.manual_seed(SEED)
    network, average = F0Network(), F0Network().eval()
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE_HIGH, weight_decay=0.01)
    rng = np.random.default_rng(SEED)
    learnt = [of for of in learnt if len(of.evidence) >= HOPS]
    began = time.monotonic()
    for step in range(steps):
        cooled = 0.5 + 0.5 * float(np.cos(np.pi * step / steps)) + 0.005
        optimiser.param_groups[0]["lr"] = RATE_HIGH * min((step + 1) / 50, cooled)
        evidence, truth = some(learnt, rng)
        fast, late = network(evidence)
        loss = off(fast, truth[..., 0]) + LATE_WEIGHT * off(late, truth[..., 1])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        keep = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        if (step + 1) % JUDGE_EVERY == 0 or step + 1 == steps:
            pace = (time.monotonic() - began) / (step + 1)
            said = " ".join(f"{100 * x:.1f}" for x in judge(average, held_out))
            print(
                f"step {step + 1}: {loss.item():.3f}, right {said} %, {pace:.2f} s a step",
                flush=True,
            )
    return average


def judge(network: F0Network, held_out: list[Heard]) -> list[float]:
    """Of each track, the share that is right in voicing and F0; and of voiced frames alone."""
    answers = [decided(network, held_out, track) for track in (0, 1)]
    shares = []
    for (voiced, pitch, _, f0_hz), least in zip(answers, VOICED_FROM, strict=True):
        right = correct(voiced >= least, pitch, f0_hz)
        shares += [float(right.mean()), float(right[f0_hz > 0].mean())]
    return shares


def decided(
    network: F0Network, held_out: list[Heard], track: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """How sure of voice, the likeliest pitch, how much is believed of it, and the truth, of known frames."""
    parts = []
    with torch.no_grad():
        for of in held_out[:: max(1, len(held_out) // 150)]:
            logits = network(torch.from_numpy(of.evidence).float()[None])[track][0]
            believed = torch.softmax(logits, -1).double().numpy()
            kept = np.isfinite(of.f0_hz[:, track])
            pitch, share = likeliest(believed[kept, :PITCHES])
            parts.append(
                np.stack([1 - believed[kept, PITCHES], pitch, share, of.f0_hz[kept, track]])
            )
    voiced, pitch, share, f0_hz = np.concatenate(parts, 1)
    return voiced, pitch, share, f0_hz


def likeliest(voiced: Floats) -> tuple[Floats, Floats]:
    around = np.stack([voiced[:, :-2], voiced[:, 1:-1], voiced[:, 2:]])
    shares = around.sum(axis=0)
    best = shares.argmax(axis=1)
    rows = np.arange(len(best))
    share = shares[rows, best]
    return best + 1 + (around[2] - around[0])[rows, best] / (share + 1e-20), share


def correct(said: npt.NDArray[np.bool_], pitch: Floats, f0_hz: Floats) -> npt.NDArray[np.bool_]:
    octaves = np.log2(np.maximum(f0_hz, 1) / LOWEST_HZ) - pitch / PITCHES_AN_OCTAVE
    return np.where(said, (f0_hz > 0) & (np.abs(octaves) < RIGHT_OCTAVES), f0_hz == 0)


def decision(network: F0Network, held_out: list[Heard]) -> list[float]:
    """Of each track, the threshold of voice; slope and offset of the log-odds of being right."""
    made = []
    for track in (0, 1):
        voiced, pitch, share, f0_hz = decided(network, held_out, track)
        said = voiced >= VOICED_FROM[track]
        p = np.clip(np.where(said, share, 1 - voiced), 1e-6, 1 - 1e-6)
        right = correct(said, pitch, f0_hz).astype(np.float64)
        made += [VOICED_FROM[track], *logistic(np.log(p / (1 - p)), right)]
    return made


def logistic(x: Floats, y: Floats) -> list[float]:
    """Newton's method; slope and offset."""
    slope_offset = np.array([1.0, 0.0])
    columns = np.stack([x, np.ones_like(x)], 1)
    for _ in range(20):
        p = 1 / (1 + np.exp(-columns @ slope_offset))
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns
        slope_offset = slope_offset + np.linalg.solve(curvature, columns.T @ (y - p))
    return [float(of) for of in slope_offset]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sounds", type=int, default=500)
    parser.add_argument("--variants", type=int, default=7, help="of each sound")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    gather(options.cache, options.sounds)
    learnt, held_out = pool(sounds(options.cache / "f0", options.sounds), options.variants)
    print(f"{sum(len(of.evidence) for of in learnt)} hops to learn from", flush=True)
    network = halved(learn(learnt, held_out, options.steps))
    of_tracks = decision(network, held_out)
    print("threshold, slope and offset:", " ".join(f"{of:.2f}" for of in of_tracks))
    save(network, of_tracks, options.out)
    print(f"{options.out} written; build the core")


if __name__ == "__main__":
    main()
