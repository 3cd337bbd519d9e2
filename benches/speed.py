"""One live stream, the whole path in blocks of 10 ms: time per block and share of a core.

The sound is the repository's recordings with pauses between them: never zeros, which take
shortcuts. The first `WARM_UP_S` seconds are heard but not counted.
"""

import argparse
from pathlib import Path

import numpy as np

from benches import report
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, recordings
from benches.streaming import BLOCK_MS, StreamSettings, blocks_of, figures_of, run, timed

WARM_UP_S = 3.0
PAUSE_S = 0.7
# Quieter than any microphone, and not zero.
PAUSE_LEVEL = 1e-4
SEED = 20261122


def speech(seconds: float) -> Samples:
    """The recordings, one after another, over again until it is long enough."""
    rng = np.random.default_rng(SEED)
    wanted = int(seconds * STREAM_RATE)
    every = [source.samples for source in recordings(Engines(Path(), Path()))]
    parts: list[Samples] = []
    while sum(map(len, parts)) < wanted:
        for samples in every:
            pause = PAUSE_LEVEL * rng.standard_normal(int(PAUSE_S * STREAM_RATE))
            parts += [samples, pause.astype(np.float32)]
    return np.concatenate(parts)[:wanted]


def measure(settings: StreamSettings, seconds: float) -> Result:
    stream = settings.open()
    samples = speech(seconds + WARM_UP_S)
    warm_up = int(WARM_UP_S * STREAM_RATE)
    timed(stream.process, blocks_of(samples[:warm_up], STREAM_RATE * BLOCK_MS // 1000))
    done = run(stream, samples[warm_up:])
    if not np.isfinite(done.output).all() or not np.abs(done.output).max() > 0 or done.faults:
        raise RuntimeError(f"the output is not a voice, its times mean nothing: {done.faults}")
    return {"seconds": seconds, **figures_of(done.block_s, done.cpu_s, BLOCK_MS)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--weights", type=Path, help="a weights file, or a folder that holds one")
    parser.add_argument("--mode", choices=("live", "studio"), default="live")
    parser.add_argument("--engine", choices=("native", "torch"), default="native")
    parser.add_argument("--identity", action="store_true", help="the path without a converter")
    parser.add_argument("--seconds", type=float, default=60.0, help="default: %(default)s")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    settings = StreamSettings(
        options.mode, STREAM_RATE, options.weights, options.identity, options.engine
    )
    figures = measure(settings, options.seconds)
    print(
        f"block of {BLOCK_MS} ms: p50 {figures['block_ms_p50']:.2f}, p95 "
        f"{figures['block_ms_p95']:.2f}, p99 {figures['block_ms_p99']:.2f}, max "
        f"{figures['block_ms_max']:.2f} ms; {figures['blocks_over_deadline']} of "
        f"{figures['blocks']} over the deadline; rtf {figures['rtf']:.3f}; "
        f"{figures['cpu_share']:.3f} of a core"
    )
    held = settings.as_json() | {"warm_up_s": WARM_UP_S, "seed": SEED}
    report.write(report.circumstances("speed", held) | {"figures": figures}, options.json)
