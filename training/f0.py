"""The numbers of the F0 tracker: what speaks for a pitch, how F0 moves, how sure to be.

    python -m training.f0 --cache DIR [--seconds 120]

Real people from the packages of `training.speech`, none of whom the bench hears, as they are and put
together again with a contour that is moved at random (`training.contours`), in DIR/f0; each clean, in noise
and over the telephone. Then ``rust_core/src/f0/weights.rs`` is written, and the core is to be built anew.
Of what is learnt here every eighth sound is held out, for the threshold and the calibration.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal
import torch
from torch import Tensor, nn

from persona_voice._core import HOP, F0Evidence
from training.contours import (
    KINDS,
    RATE,
    Floats,
    Samples,
    contour_at,
    in_noise,
    noise,
    resynthesised,
)
from training.speech import PACKAGES, QUEEN, real
from training.whole import whole

WEIGHTS = Path(__file__).parents[1] / "rust_core" / "src" / "f0" / "weights.rs"
SEED = 3
PITCHES, LOWEST_HZ, PITCHES_AN_OCTAVE = 98, 55.0, 24
WHOLE, GIVEN, HIDDEN = 4, 6, 8
# Octaves, twelfths and fifths up and down, in pitches, and what lies next to a pitch.
SHIFTS = (-48, -38, -24, -14, -2, -1, 0, 1, 2, 14, 24, 38, 48)
REACH = 48
LATE = 3
SOUND_S = 6
# Of a package, each of its speakers.
SOUNDS_A_GROUP = 14
HOPS, BATCH, SETTLING = 80, 40, 12
STRONGEST = 12.0
RIGHT_OCTAVES = 1 / 24

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """Evidence ``[hops, 200]`` and the F0 of each hop: 0 unvoiced, NaN not known."""

    evidence: Numbers
    f0_hz: Floats


def gather(folder: Path, packages: Path) -> None:
    """``folder/NAME.npz``: a sound with its exact contour, and as it was recorded. Goes on where it stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in (*PACKAGES, QUEEN):
        taken: Counter[str] = Counter()
        for name, samples in real(package, packages):
            group = name.rsplit("_", 1)[0]
            taken[group] += 1
            file = folder / f"{name}.npz"
            if taken[group] > SOUNDS_A_GROUP or file.exists():
                continue
            rng = np.random.default_rng([SEED, *name.encode()])
            moved = float(rng.choice([0.0, rng.uniform(-7, 7), rng.uniform(-12, 14)]))
            made, natural = resynthesised(name, samples[: SOUND_S * RATE], moved)
            with whole(file) as out:
                np.savez(
                    out,
                    made=made.samples,
                    f0=made.f0_hz,
                    natural=natural.samples,
                    f0n=natural.f0_hz,
                )
            print(f"{name}, moved by {moved:+.1f} semitones", flush=True)


def hear(folder: Path) -> tuple[list[Heard], list[Heard]]:
    """All sounds in several conditions: to learn from, and held out."""
    rng = np.random.default_rng(SEED)
    files = sorted(folder.glob("*.npz"))
    sounds = [dict(np.load(file)) for file in files]
    people = [sound["natural"] for sound in sounds]
    kinds = {kind: noise(kind, 1 << 20, rng) for kind in KINDS}
    groups: tuple[list[Heard], list[Heard]] = ([], [])
    for n, sound in enumerate(sounds):
        for key, contour in (("made", "f0"), ("made", "f0"), ("made", "f0"), ("natural", "f0n")):
            samples = spoilt(sound[key], people, kinds, rng)
            lead = int(rng.integers(0, HOP))
            evidence = F0Evidence().process(np.ascontiguousarray(samples[lead:]))
            moments = np.arange(len(evidence)) * HOP / RATE + lead / RATE
            groups[n % 8 == 5].append(Heard(evidence, contour_at(sound[contour], moments)))
    return groups


def spoilt(
    samples: Samples, people: list[Samples], kinds: dict[str, Floats], rng: np.random.Generator
) -> Samples:
    """Over the telephone or tilted at times, in noise that is hardly there or louder than speech."""
    place = rng.random()
    if place < 0.12:
        band = [rng.uniform(150, 350), 3400]
        telephone = scipy.signal.butter(2, band, "bandpass", fs=RATE, output="sos")
        samples = scipy.signal.sosfilt(telephone, samples).astype(np.float32)
    elif place < 0.25:
        samples = scipy.signal.lfilter([1, -rng.uniform(0.3, 0.95)], [1], samples)
    kind = str(rng.choice(["pink", "pink", "pink", "white", "brown", "babble"]))
    snr_db = float(rng.uniform(35, 70) if rng.random() < 0.3 else rng.uniform(-4, 25))
    if kind == "babble":
        talkers = rng.choice(len(people), min(8, len(people)), replace=False)
        other = np.sum([np.resize(people[n], len(samples)) for n in talkers], axis=0)
        snr_db = max(snr_db, 2.0)
    else:
        start = int(rng.integers(len(kinds[kind]) - len(samples)))
        other = kinds[kind][start : start + len(samples)]
    made = in_noise(samples.astype(np.float32), other, snr_db)
    return np.asarray(made * 10 ** (rng.uniform(-25, 8) / 20), np.float32)


class Belief(nn.Module):
    """``rust_core/src/f0/belief.rs``, with gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.randn(HIDDEN, 2, len(SHIFTS)) * 0.3)
        self.outside = nn.Parameter(torch.zeros(2, 2))
        self.whole_to_hidden = nn.Parameter(torch.randn(HIDDEN, GIVEN) * 0.1)
        self.bias = nn.Parameter(torch.zeros(HIDDEN))
        self.out = nn.Parameter(torch.randn(HIDDEN) * 0.5)
        self.whole_to_out = nn.Parameter(torch.zeros(GIVEN))
        self.offset = nn.Parameter(torch.tensor(-4.0))
        self.kernel = nn.Parameter(torch.tensor([0.0, -0.5, -1.5, -3.0, -4.0]))
        self.rates = nn.Parameter(torch.tensor([-2.5, -2.5, -4.0]))

    def scores(self, evidence: Tensor) -> Tensor:
        """``[..., 200]`` to log-likelihood ratios ``[..., 98]``."""
        rows = evidence[..., : 2 * PITCHES].unflatten(-1, (2, PITCHES))
        whole = torch.cat([evidence[..., 2 * PITCHES :], rows.amax(-1)], -1)
        ends = [self.outside[:, n, None].expand(*rows.shape[:-1], REACH) for n in (0, 1)]
        padded = torch.cat([ends[0], rows, ends[1]], -1)
        seen = torch.stack([padded[..., REACH + n : REACH + n + PITCHES] for n in SHIFTS], -2)
        told = self.bias + whole @ self.whole_to_hidden.T
        hidden = torch.relu(told[..., None] + torch.einsum("hcs,...csn->...hn", self.taps, seen))
        scores = torch.einsum("h,...hn->...n", self.out, hidden)
        scores = scores + (whole @ self.whole_to_out)[..., None] + self.offset
        return scores.clamp(-STRONGEST, STRONGEST)

    def shares(self) -> Tensor:
        """Of what stays voiced, by distance: ``[9]``."""
        return torch.softmax(torch.cat([self.kernel.flip(0)[:-1], self.kernel]), 0)

    def forward_step(self, states: Tensor) -> Tensor:
        ends, starts, jump = torch.sigmoid(self.rates)
        voiced, unvoiced = states[:, :PITCHES], states[:, PITCHES:]
        all_voiced = voiced.sum(1, keepdim=True)
        near = torch.conv1d(voiced[:, None], self.shares()[None, None], padding=4)[:, 0]
        anywhere = (jump * all_voiced + starts * unvoiced) / PITCHES
        none = ends * all_voiced + (1 - starts) * unvoiced
        return torch.cat([(1 - ends - jump) * near + anywhere, none], 1)

    def backward_step(self, later: Tensor) -> Tensor:
        ends, starts, jump = torch.sigmoid(self.rates)
        voiced, unvoiced = later[:, :PITCHES], later[:, PITCHES:]
        mean = voiced.mean(1, keepdim=True)
        near = torch.conv1d(voiced[:, None], self.shares()[None, None], padding=4)[:, 0]
        anywhere = jump * mean + ends * unvoiced
        none = starts * mean + (1 - starts) * unvoiced
        earlier = torch.cat([(1 - ends - jump) * near + anywhere, none], 1)
        return earlier / earlier.sum(1, keepdim=True)

    def forward(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """``[batch, hops, 200]`` to what is believed at once, and `LATE` hops later."""
        batch, hops, _ = evidence.shape
        scores = torch.cat([self.scores(evidence), torch.zeros(batch, hops, 1)], -1)
        likely = torch.exp(scores - scores.amax(-1, keepdim=True))
        states = torch.zeros(batch, PITCHES + 1)
        states[:, PITCHES] = 1.0
        known = []
        for n in range(hops):
            states = self.forward_step(states) * likely[:, n]
            states = states / (states.sum(1, keepdim=True) + 1e-20)
            known.append(states)
        now = torch.stack(known, 1)
        then = hops - LATE
        after = torch.ones(batch * then, PITCHES + 1)
        for n in range(LATE, 0, -1):
            after = self.backward_step(after * likely[:, n : n + then].flatten(0, 1))
        late = now[:, :then] * after.unflatten(0, (batch, then))
        return now, late / late.sum(-1, keepdim=True)


def wanted(f0_hz: Floats) -> Tensor:
    """A share for each pitch, and for none; nothing where F0 is not known."""
    made = np.zeros((*f0_hz.shape, PITCHES + 1), np.float32)
    known = np.nan_to_num(f0_hz, nan=-1.0)
    place = PITCHES_AN_OCTAVE * np.log2(np.maximum(known, LOWEST_HZ) / LOWEST_HZ)
    below = np.clip(np.floor(place), 0, PITCHES - 2).astype(int)
    part = np.clip(place - below, 0, 1)
    voiced = known > 0
    at = np.nonzero(voiced)
    made[(*at, below[voiced])] = 1 - part[voiced]
    made[(*at, below[voiced] + 1)] = part[voiced]
    made[known == 0, PITCHES] = 1.0
    return torch.from_numpy(made)


def off(believed: Tensor, truth: Tensor) -> Tensor:
    return -(truth * torch.log(believed + 1e-8)).sum() / truth.sum()


def learn_frames(belief: Belief, heard: list[Heard], seconds: float) -> None:
    """Hop by hop, so that the recursions begin with something to go by."""
    rng = np.random.default_rng(SEED)
    evidence = np.concatenate([of.evidence for of in heard])
    truth = np.concatenate([of.f0_hz for of in heard])
    optimiser = torch.optim.Adam(belief.parameters(), lr=2e-2)
    for part in until(seconds):
        optimiser.param_groups[0]["lr"] = 2e-2 * cooled(part)
        rows = rng.integers(0, len(evidence), 2048)
        scores = belief.scores(torch.from_numpy(evidence[rows]))
        believed = torch.softmax(torch.cat([scores, torch.zeros(len(rows), 1)], 1), 1)
        step(belief, optimiser, off(believed, wanted(truth[rows])))


def learn_streams(belief: Belief, heard: list[Heard], seconds: float) -> None:
    """Through the recursions, at once and late alike."""
    rng = np.random.default_rng(SEED)
    long = [of for of in heard if len(of.evidence) > HOPS]
    optimiser = torch.optim.Adam(belief.parameters(), lr=5e-3)
    for part in until(seconds):
        optimiser.param_groups[0]["lr"] = 5e-3 * cooled(part)
        evidence, truth = some(long, rng)
        loss = torch.zeros(())
        for believed in belief(evidence):
            loss = loss + off(believed[:, SETTLING:], truth[:, SETTLING : believed.shape[1]])
        step(belief, optimiser, loss)


def some(heard: list[Heard], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    evidence, truth = [], []
    for n in rng.integers(0, len(heard), BATCH):
        start = int(rng.integers(0, len(heard[n].evidence) - HOPS))
        evidence.append(heard[n].evidence[start : start + HOPS])
        truth.append(heard[n].f0_hz[start : start + HOPS])
    return torch.from_numpy(np.stack(evidence)), wanted(np.stack(truth))


def step(belief: Belief, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(belief.parameters(), 5.0)
    optimiser.step()


def until(seconds: float) -> Iterator[float]:
    """The part that is done, in processor time."""
    began = time.process_time()
    while (part := (time.process_time() - began) / seconds) < 1:
        yield part


def cooled(part: float) -> float:
    return 0.02 + 0.98 * (0.5 + 0.5 * float(np.cos(np.pi * part)))


def calibrate(belief: Belief, held_out: list[Heard]) -> tuple[float, list[float]]:
    """The threshold with the fewest voicing errors; slope and offset of the log-odds of being right."""
    states, truth = [], []
    with torch.no_grad():
        for of in held_out:
            for believed in belief(torch.from_numpy(of.evidence)[None]):
                kept = np.isfinite(of.f0_hz[: believed.shape[1]])
                states.append(believed[0].numpy()[kept])
                truth.append(of.f0_hz[: believed.shape[1]][kept])
    believed, f0_hz = np.concatenate(states), np.concatenate(truth)
    voiced = 1 - believed[:, PITCHES]
    grid = np.arange(0.2, 0.8, 0.02)
    threshold = float(min(grid, key=lambda of: np.mean((voiced >= of) != (f0_hz > 0))))
    pitch, share = likeliest(believed[:, :PITCHES])
    near = (
        np.abs(np.log2(LOWEST_HZ / np.maximum(f0_hz, 1)) + pitch / PITCHES_AN_OCTAVE)
        < RIGHT_OCTAVES
    )
    said = voiced >= threshold
    right = np.where(said, (f0_hz > 0) & near, f0_hz == 0).astype(np.float64)
    p = np.clip(np.where(said, share, 1 - voiced), 1e-6, 1 - 1e-6)
    return threshold, logistic(np.log(p / (1 - p)), right)


def likeliest(voiced: Floats) -> tuple[Floats, Floats]:
    around = np.stack([voiced[:, :-2], voiced[:, 1:-1], voiced[:, 2:]])
    shares = around.sum(axis=0)
    best = shares.argmax(axis=1)
    rows = np.arange(len(best))
    share = shares[rows, best]
    return best + 1 + (around[2] - around[0])[rows, best] / (share + 1e-20), share


def logistic(x: Floats, y: Floats) -> list[float]:
    """Newton's method; slope and offset."""
    slope_offset = np.array([1.0, 0.0])
    columns = np.stack([x, np.ones_like(x)], 1)
    for _ in range(20):
        p = 1 / (1 + np.exp(-columns @ slope_offset))
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns
        slope_offset = slope_offset + np.linalg.solve(curvature, columns.T @ (y - p))
    return [float(of) for of in slope_offset]


def write(belief: Belief, threshold: float, calibration: list[float]) -> None:
    """Puts the numbers in place of those that the file holds; what is said of them stays."""
    with torch.no_grad():
        ends, starts, jump = torch.sigmoid(belief.rates)
        values = {
            "TAPS": belief.taps, "OUTSIDE": belief.outside, "BIAS": belief.bias,
            "WHOLE_TO_HIDDEN": belief.whole_to_hidden, "OUT": belief.out,
            "WHOLE_TO_OUT": belief.whole_to_out, "OFFSET": belief.offset,
            "KERNEL": belief.shares()[4:], "TO_UNVOICED": ends, "TO_VOICED": starts, "JUMP": jump,
            "VOICED": torch.tensor(threshold), "CALIBRATION": torch.tensor(calibration),
        }  # fmt: skip
    text = WEIGHTS.read_text(encoding="utf-8")
    for name, value in values.items():
        text, found = re.subn(
            rf"(pub const {name}: [^=]*= )[^;]*;",
            lambda at, value=value: f"{at[1]}{literal(value.tolist())};",  # type: ignore[misc]
            text,
        )
        if found != 1:
            raise SystemExit(f"{WEIGHTS} must hold {name} once, holds it {found} times")
    with whole(WEIGHTS) as out:
        out.write(text.encode())


def literal(value: object) -> str:
    """As Rust has it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    text = f"{value:.5g}"
    return text if "." in text or "e" in text else text + ".0"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=120.0, help="processor time of learning")
    options = parser.parse_args()
    gather(options.cache / "f0", options.cache / "packages")
    learnt, held_out = hear(options.cache / "f0")
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    belief = Belief()
    for of in (learnt, held_out):
        print(f"{len(of)} sounds, {sum(len(one.evidence) for one in of)} hops", flush=True)
    known = [Heard(of.evidence[k], of.f0_hz[k]) for of in learnt for k in [np.isfinite(of.f0_hz)]]
    learn_frames(belief, known, 0.4 * options.seconds)
    learn_streams(belief, learnt, 0.6 * options.seconds)
    threshold, calibration = calibrate(belief, held_out)
    print(f"voiced from {threshold:.2f} on, log-odds {calibration[0]:.2f} x {calibration[1]:+.2f}")
    write(belief, threshold, calibration)
    print(f"{WEIGHTS} written; run cargo fmt, and build the core")


if __name__ == "__main__":
    main()
