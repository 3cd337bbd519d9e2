"""``persona-voice convert``: a sound file, or a pipe, into the persona's voice."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from persona_voice.audio.files import Samples, SoundReader, SoundWriter
from persona_voice.build import open_stream
from persona_voice.cli.whom import add_persona, whom
from persona_voice.converter import MODES
from persona_voice.errors import AudioFileError, SettingError, StreamError
from persona_voice.path.offline import converted
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.mood import MOODS

RAW: dict[str, np.dtype[Any]] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}
RAW_RATE, RAW_FORMAT = 24_000, "s16"
BAR = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", metavar="IN", help="a sound file, or - for raw mono samples on standard input"
    )
    parser.add_argument(
        "output", metavar="OUT", help="a sound file, or - for raw mono samples on standard output"
    )
    add_persona(parser)
    parser.add_argument("--mood", choices=MOODS, default="neutral", help="all the while")
    parser.add_argument(
        "--mode", choices=MODES, default="studio", help="look-ahead (default: studio)"
    )
    parser.add_argument(
        "--block-ms",
        type=float,
        default=1000.0,
        metavar="N",
        help="milliseconds handed over at once (default: 1000)",
    )
    parser.add_argument(
        "--rate", type=int, metavar="HZ", help=f"of raw samples alone (default: {RAW_RATE})"
    )
    parser.add_argument(
        "--format", choices=RAW, help=f"of raw samples alone (default: {RAW_FORMAT})"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="other weights than the persona's"
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(options: argparse.Namespace) -> int:
    if not 1 <= options.block_ms <= 60_000:
        message = f"--block-ms must lie in 1..=60000 ms, got {options.block_ms:g}"
        raise SettingError(message, code="out_of_range")
    kind = RAW[options.format or RAW_FORMAT]
    _check_files(options)
    started, cpu = time.monotonic(), time.process_time()
    seconds = options.block_ms / 1000
    with contextlib.ExitStack() as stack:
        if options.input == "-":
            rate, total = RAW_RATE if options.rate is None else options.rate, None
            blocks = raw_blocks(sys.stdin.buffer, rate, seconds, kind)
        else:
            reader = stack.enter_context(SoundReader(Path(options.input)))
            rate, total, blocks = reader.sample_rate, reader.num_samples, reader.blocks(seconds)
        faults: dict[str, int] = {}
        persona, manner = whom(options.persona, options.store)
        stream = open_stream(persona, rate, options.mode, manner=manner, weights=options.weights)
        stream.express(options.mood, half_life_s=None)
        if options.output == "-":
            done = to_pipe(heard(stream, blocks, faults), sys.stdout.buffer, kind)
        else:
            writer = stack.enter_context(SoundWriter(Path(options.output), rate, total or 0))
            show = stack.enter_context(progress(total, rate))
            done = 0
            for block in heard(stream, blocks, faults):
                writer.write(block)
                done += len(block)
                show(done)
    report(options, stream, faults, done, time.monotonic() - started, time.process_time() - cpu)
    return 0


def _check_files(options: argparse.Namespace) -> None:
    if options.input != "-" and (
        options.rate is not None or (options.output != "-" and options.format)
    ):
        message = "--rate and --format must come with raw samples: - as IN, or for --format as OUT"
        raise SettingError(message, code="needs_raw")
    source, out = Path(options.input), Path(options.output)
    if source.exists() and out.exists() and source.samefile(out):
        message = f"OUT must be another file than IN, which it would replace, got {out} for both"
        raise SettingError(message, code="same_file")


def raw_blocks(pipe: BinaryIO, rate: int, seconds: float, kind: np.dtype[Any]) -> Iterator[Samples]:
    size = max(1, round(seconds * rate)) * kind.itemsize
    empty = True
    while data := pipe.read(size):
        empty = False
        if more := len(data) % kind.itemsize:
            raise StreamError(
                f"raw input must be whole samples of {kind.itemsize} bytes, got {more} bytes more",
                code="part_of_a_sample",
            )
        samples = np.frombuffer(data, kind)
        yield samples.astype(np.float32) / np.float32(32768 if kind.kind == "i" else 1)
    if empty:
        message = "standard input must hold at least one sample, got none"
        raise AudioFileError(message, code="empty_file")


def heard(
    stream: VoiceStream, blocks: Iterator[Samples], faults: dict[str, int]
) -> Iterator[Samples]:
    """The converted blocks; ``faults`` keeps what the stream forgets at its end."""
    for block in converted(stream, blocks):
        faults.update(stream.status.faults)
        yield block


def to_pipe(blocks: Iterator[Samples], pipe: BinaryIO, kind: np.dtype[Any]) -> int:
    done = 0
    for block in blocks:
        scaled = np.round(np.clip(block, -1, 1) * 32767) if kind.kind == "i" else block
        pipe.write(scaled.astype(kind).tobytes())
        pipe.flush()
        done += len(block)
    return done


@contextlib.contextmanager
def progress(total: int | None, rate: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; its line ends however the work ends."""
    if not total or not sys.stderr.isatty():
        yield lambda done: None
        return

    def show(done: int) -> None:
        bar = "#" * (BAR * done // total)
        line = f"[{bar:<{BAR}}] {done / total:4.0%} of {total / rate:.0f} s"
        print(f"\r{line}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print(file=sys.stderr)


def report(
    options: argparse.Namespace,
    stream: VoiceStream,
    faults: dict[str, int],
    samples: int,
    wall: float,
    cpu: float,
) -> None:
    seconds = samples / stream.sample_rate
    facts = {
        "input": options.input,
        "output": options.output,
        "persona": stream.persona.name,
        "mode": options.mode,
        "sample_rate_hz": stream.sample_rate,
        "seconds": round(seconds, 3),
        "latency_samples": stream.latency_samples,
        "latency_ms": round(1000 * stream.latency_samples / stream.sample_rate, 3),
        "rtf": round(wall / max(seconds, 1e-9), 4),
        "cpu_share": round(cpu / max(seconds, 1e-9), 4),
        "faults": faults,
    }
    # Standard output may be the sound itself.
    out = sys.stderr if options.output == "-" else sys.stdout
    if options.json:
        print(json.dumps(facts), file=out)
    elif options.output != "-":
        print(f"{options.output}: {seconds:.1f} s as {stream.persona.name}, {wall:.1f} s of work")
