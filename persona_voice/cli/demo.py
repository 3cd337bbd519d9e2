"""``persona-voice demo``: the package's recordings and a spoken sentence, as live streams."""

import argparse
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

from persona_voice.audio.files import Samples, SoundReader, SoundWriter
from persona_voice.build import open_stream
from persona_voice.cli.picture import Pair, draw
from persona_voice.converter import MODES
from persona_voice.errors import AudioFileError, DeviceError
from persona_voice.path.offline import converted
from persona_voice.path.stream import VoiceStream
from persona_voice.sources.source import open_source

BLOCK_MS = 10
SENTENCE = "Hello. I am a plain little machine, and this is how I sound when I borrow a voice."
PAUSE_SECONDS = 0.4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("persona-voice-demo"),
        metavar="DIR",
        help="where the sounds and the picture go (default: persona-voice-demo)",
    )
    parser.add_argument("--persona", default="samantha", metavar="NAME")
    parser.add_argument("--mode", choices=MODES, default="live", help="look-ahead (default: live)")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="other weights than the persona's"
    )


def run(options: argparse.Namespace) -> int:
    _make(options.out)
    print(
        f"Streams of {BLOCK_MS} ms blocks, {options.mode}. rtf: work per sound; below 1 keeps up."
    )
    print(f"\n{'':<20}{'length':>8}{'latency':>25}{'rtf':>8}")
    pairs, written = [], []
    for name, sample_rate, samples in _sources():
        stream = open_stream(options.persona, sample_rate, options.mode, weights=options.weights)
        pair, rtf = _streamed(name, stream, samples)
        latency = stream.latency_samples
        print(
            f"{name:<20}{len(samples) / sample_rate:>6.1f} s"
            f"{latency:>8} samples{1000 * latency / sample_rate:>6.1f} ms{rtf:>8.2f}",
            flush=True,
        )
        pairs.append(pair)
        written += _saved(pair, options.out)
    written += _drawn(pairs, options.out / "demo.png")
    print("", *written, sep="\n")
    if sys.stdout.isatty():
        _play(pairs)
    return 0


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{folder} must be a folder that can be written: {error.strerror}"
        raise AudioFileError(message, code="cannot_write") from error


def _sources() -> Iterator[tuple[str, int, Samples]]:
    folder = Path(str(files("persona_voice"))) / "assets" / "recordings"
    for file in sorted(folder.glob("*.flac")):
        with SoundReader(file) as reader:
            yield file.stem, reader.sample_rate, np.concatenate(list(reader.blocks()))
    with open_source("espeak") as source:
        yield "espeak", source.sample_rate, np.concatenate(list(source.speak(SENTENCE)))


def _streamed(name: str, stream: VoiceStream, samples: Samples) -> tuple[Pair, float]:
    """Through the stream in blocks, and the rtf of that."""
    length = stream.sample_rate * BLOCK_MS // 1000
    stream.process(np.zeros(10 * length, np.float32))  # what only the first calls set up
    stream.reset()
    started = time.perf_counter()
    blocks = (samples[at : at + length] for at in range(0, len(samples), length))
    persona = np.concatenate(list(converted(stream, blocks)))
    seconds = time.perf_counter() - started
    return Pair(name, stream.sample_rate, samples, persona), seconds * stream.sample_rate / len(
        samples
    )


def _saved(pair: Pair, folder: Path) -> list[Path]:
    paths = []
    for kind, samples in (("source", pair.source), ("persona", pair.persona)):
        path = folder / f"{pair.name}_{kind}.wav"
        with SoundWriter(path, pair.sample_rate) as writer:
            writer.write(samples)
        paths.append(path)
    return paths


def _drawn(pairs: list[Pair], path: Path) -> list[Path]:
    try:
        draw(pairs, path)
    except ImportError:
        print("no picture: it needs matplotlib (pip install 'persona-voice-engine[demo]')")
        return []
    return [path]


def _play(pairs: list[Pair]) -> None:
    """To the sound card, if there is one: each sound, then the persona."""
    from persona_voice.audio.playing import Player

    try:
        for pair in pairs:
            print(f"playing {pair.name}")
            with Player(pair.sample_rate) as player:
                pause = np.zeros(round(PAUSE_SECONDS * pair.sample_rate), np.float32)
                for samples in (pair.source, pause, pair.persona, pause):
                    player.write(samples)
    except DeviceError as error:
        print(f"not played: {error}")
