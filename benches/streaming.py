"""Runs sound through a stream block by block, as a sound card would, and takes the time."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

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


def run(stream: VoiceStream, samples: Samples) -> Run:
    block = stream.sample_rate * BLOCK_MS // 1000
    parts, times = [], []
    cpu = time.process_time()
    for start in range(0, len(samples), block):
        began = time.perf_counter()
        parts.append(stream.process(samples[start : start + block]))
        times.append(time.perf_counter() - began)
    cpu = time.process_time() - cpu
    faults = dict(stream.status.faults)
    latency = stream.latency_samples
    parts.append(stream.flush())
    return Run(np.concatenate(parts), latency, np.array(times), cpu, faults)
