"""How many live streams one thread carries: paced at their hop, until the 99th percentile is late.

All streams get their block of 10 ms at once, as a server's clock would hand it to them, and the hop is done
when the last output is there. It is late by the time from that moment on, waiting for the hop before
included. N streams are carried if the 99th percentile of that stays within the block. A `VoiceBatch` in
which all speak all the time, one of conversations, in which each is silent half of the time while the other
speaks, and as many `VoiceStream` one after another.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches import report
from benches.report import Result
from benches.sources import STREAM_RATE, Samples
from benches.speed import SEED, speech
from benches.streaming import BLOCK_MS, PERSONA, blocks_of
from persona_voice.build import open_batch, open_stream
from persona_voice.path.stream import VoiceStream

BLOCK = STREAM_RATE * BLOCK_MS // 1000
DEADLINE_S = BLOCK_MS / 1000
# The first of a trial is cold, and not counted: longer than the network remembers.
COLD_S = 2.0
# In a conversation she speaks for so long, and listens for as long.
TURN_S = 5.0
SPEAKING = 0.5
# Trials that only look for the place; the last one is as long as was asked for.
LOOK_SECONDS = 3.0
MOST = 4096
MEMORY_STREAMS = 256
# Of sound that each of them hears.
MEMORY_S = 0.2

Step = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def batch(count: int, engine: str = "native", device: str = "cpu") -> Step:
    streams = open_batch(count, PERSONA, STREAM_RATE, engine=engine, device=device)
    for _ in range(count):
        streams.join()
    return streams.process


def one_by_one(count: int) -> Step:
    streams = [open_stream(PERSONA, STREAM_RATE) for _ in range(count)]

    def step(blocks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.stack([s.process(b) for s, b in zip(streams, blocks, strict=True)])

    return step


def hops_of(
    sound: Samples, count: int, speaking: float = 1.0
) -> Callable[[int], npt.NDArray[np.float32]]:
    """The blocks ``[count, BLOCK]`` of hop k: each stream is somewhere else in the speech.

    ``speaking`` is the part of the time for which each has any: after a turn of `TURN_S`, digital
    silence until the next.
    """
    rng = np.random.default_rng(SEED)
    whole = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK)
    starts = rng.integers(0, len(whole), count)
    turn = round(TURN_S / DEADLINE_S)
    cycle = round(turn / speaking)
    turns = rng.integers(0, cycle, count)

    def blocks(k: int) -> npt.NDArray[np.float32]:
        speaks = (turns + k) % cycle < turn
        return np.where(speaks[:, None], whole[(starts + k) % len(whole)], np.float32(0))

    return blocks


def trial(step: Step, sound: Samples, count: int, seconds: float, speaking: float = 1.0) -> Result:
    """Lateness of each hop in ms, and the share of the thread."""
    blocks = hops_of(sound, count, speaking)
    cold = round(COLD_S / DEADLINE_S)
    for k in range(cold):
        step(blocks(k))
    late = np.empty(round(seconds / DEADLINE_S))
    loudest = 0.0
    cpu = time.thread_time()
    began = time.perf_counter()
    for k in range(len(late)):
        heard = blocks(cold + k)
        due = began + k * DEADLINE_S
        time.sleep(max(due - time.perf_counter(), 0.0))
        out = step(heard)
        late[k] = time.perf_counter() - due
        loudest = max(loudest, float(np.abs(out).max()))
        if late[k] > 50 * DEADLINE_S:
            late[k:] = late[k]  # it will not catch up
            break
    if not 0.01 < loudest <= 1.0:
        raise RuntimeError(f"the output is not a voice, its times mean nothing: peak {loudest}")
    p50, p95, p99 = (float(np.percentile(late, p)) * 1000 for p in (50, 95, 99))
    return {
        "streams": count,
        "seconds": seconds,
        "late_ms_p50": p50,
        "late_ms_p95": p95,
        "late_ms_p99": p99,
        "late_ms_max": float(late.max()) * 1000,
        "cpu_share": (time.thread_time() - cpu) / (len(late) * DEADLINE_S),
        "carried": bool(p99 <= BLOCK_MS),
    }


def carried(make: Callable[[int], Step], sound: Samples, count: int, speaking: float) -> bool:
    """In one of two trials: what else runs on a machine makes a single one late."""
    step = make(count)
    return any(trial(step, sound, count, LOOK_SECONDS, speaking)["carried"] for _ in range(2))


def most(
    make: Callable[[int], Step], sound: Samples, seconds: float, speaking: float = 1.0
) -> Result:
    """The largest count that is carried: doubled until it is not, halved in between, then held."""
    low, high = 0, 1
    while high <= MOST and carried(make, sound, high, speaking):
        low, high = high, min(2 * high, MOST + 1)
    while high - low > max(low // 16, 1):
        middle = (low + high) // 2
        if carried(make, sound, middle, speaking):
            low = middle
        else:
            high = middle
    while low:
        held = trial(make(low), sound, low, seconds, speaking)
        if held["carried"]:
            return held
        low -= max(low // 16, 1)
    raise RuntimeError("not one stream keeps up on this machine")


def memory_kb(count: int, engine: str = "native") -> float:
    """Resident memory of a stream beyond the weights, all of its buffers used."""

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def heard() -> VoiceStream:
        stream = open_stream(PERSONA, STREAM_RATE, engine=engine)
        for block in blocks_of(sound, BLOCK):
            stream.process(block)
        return stream

    sound = speech(MEMORY_S)
    # The first ones take what is free in the heap already.
    streams = [heard() for _ in range(count)]
    before = resident()
    streams += [heard() for _ in range(count)]
    return (resident() - before) / count / 1024


def start_ms(count: int) -> float:
    """From opening a stream to its first block out, the weights being loaded: the median."""
    block = speech(1.0)[:BLOCK]
    open_stream(PERSONA, STREAM_RATE)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        open_stream(PERSONA, STREAM_RATE).process(block)
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--seconds", type=float, default=60.0, help="default: %(default)s")
    parser.add_argument("--engine", choices=("native", "torch"), default="native")
    parser.add_argument("--device", default="cpu", help="of the engine torch; default: %(default)s")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    memory, start = memory_kb(MEMORY_STREAMS), start_ms(50)
    print(f"a stream: {memory:.0f} kB beyond the weights, {start:.1f} ms from open to first block")
    sound = speech(20.0)
    found = {}
    together = partial(batch, engine=options.engine, device=options.device)
    ways = (
        ("batch", together, 1.0),
        ("batch, in conversation", together, SPEAKING),
        ("one by one", one_by_one, 1.0),
    )
    for name, make, speaking in ways:
        figures = found[name] = most(make, sound, options.seconds, speaking)
        print(
            f"{name}: {figures['streams']} streams carried for {options.seconds:.0f} s; late p50 "
            f"{figures['late_ms_p50']:.2f}, p99 {figures['late_ms_p99']:.2f}, max "
            f"{figures['late_ms_max']:.2f} ms; {figures['cpu_share']:.2f} of a core",
            flush=True,
        )
    settings = {"block_ms": BLOCK_MS, "seed": SEED}
    settings |= {"engine": options.engine, "device": options.device}
    settings |= {"turn_s": TURN_S, "speaking": SPEAKING}
    circumstances = report.circumstances("streams", settings)
    figures = {"memory_kb": memory, "start_ms": start, **found}
    report.write(circumstances | {"figures": figures}, options.json)
