"""Runs sound through a stream block by block, as a sound card would, and takes the time."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benches.report import Result
from persona_voice.build import open_stream
from persona_voice.converter import Identity
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import load_persona

Samples = npt.NDArray[np.float32]

PERSONA = "samantha"
BLOCK_MS = 10


@dataclass(frozen=True)
class StreamSettings:
    """What to open: ``weights`` None means the persona's own; ``identity`` needs no weights."""

    mode: str = "live"
    sample_rate: int = 48_000
    weights: Path | None = None
    identity: bool = False
    engine: str = "auto"

    def open(self) -> VoiceStream:
        persona = load_persona(PERSONA)
        if self.identity:
            return VoiceStream(Identity(), persona, self.sample_rate)
        weights = self.weights
        if weights is not None and weights.is_dir():
            weights = weights / persona.weights
        return open_stream(
            persona, self.sample_rate, self.mode, weights=weights, engine=self.engine
        )

    def as_json(self) -> dict[str, object]:
        return {
            "persona": PERSONA,
            "mode": self.mode,
            "sample_rate": self.sample_rate,
            "block_ms": BLOCK_MS,
            "engine": self.engine,
            "converter": "identity" if self.identity else str(self.weights or "the persona's own"),
        }


@dataclass(frozen=True)
class Run:
    """What came out, untrimmed and with the flush, and what it took."""

    output: Samples
    latency_samples: int
    block_s: npt.NDArray[np.float64]  # wall time of each block
    cpu_s: float  # of all threads of this process
    faults: dict[str, int]

    @property
    def trimmed(self) -> Samples:
        """As long as the input, and in time with it."""
        return self.output[self.latency_samples :]


class Timed(NamedTuple):
    """What came out of each block, and what it took."""

    answers: list[Samples]
    block_s: npt.NDArray[np.float64]  # wall time of each block
    cpu_s: float  # of all threads of this process


def timed(step: Callable[[Any], Samples], blocks: Iterable[Any]) -> Timed:
    """One block after the other; the one place where a block's time is taken."""
    answers, times = [], []
    cpu = time.process_time()
    for block in blocks:
        began = time.perf_counter()
        answers.append(step(block))
        times.append(time.perf_counter() - began)
    return Timed(answers, np.array(times), time.process_time() - cpu)


def blocks_of(samples: Samples, length: int) -> list[Samples]:
    """The samples, or frames, in blocks of ``length``; the last may be shorter."""
    return [samples[start : start + length] for start in range(0, len(samples), length)]


def figures_of(block_s: npt.NDArray[np.float64], cpu_s: float, sound_ms: float) -> Result:
    """Of blocks that last ``sound_ms`` each: percentiles, how many took longer, shares of time."""
    p50, p95, p99 = (float(np.percentile(block_s, p)) * 1000 for p in (50, 95, 99))
    seconds = len(block_s) * sound_ms / 1000
    return {
        "blocks": len(block_s),
        "block_ms_p50": p50,
        "block_ms_p95": p95,
        "block_ms_p99": p99,
        "block_ms_max": float(block_s.max()) * 1000,
        "blocks_over_deadline": int((block_s * 1000 > sound_ms).sum()),
        "rtf": float(block_s.sum()) / seconds,
        "cpu_share": cpu_s / seconds,
    }


def run(stream: VoiceStream, samples: Samples) -> Run:
    done = timed(stream.process, blocks_of(samples, stream.sample_rate * BLOCK_MS // 1000))
    faults = dict(stream.status.faults)
    latency = stream.latency_samples
    output = np.concatenate([*done.answers, stream.flush()])
    return Run(output, latency, done.block_s, done.cpu_s, faults)
