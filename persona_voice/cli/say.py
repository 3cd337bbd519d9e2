"""``persona-voice say``: a text in the persona's voice, to the loudspeaker or to a file."""

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Protocol

from persona_voice.build import open_stream
from persona_voice.cli.whom import add_persona, whom
from persona_voice.converter import MODES
from persona_voice.errors import DeviceError, SettingError, SourceError
from persona_voice.path.markup import read_script
from persona_voice.path.speaking import Samples, Saying, sentences, spoken
from persona_voice.persona.mood import MOODS
from persona_voice.sources.source import KINDS, open_source


class Sink(Protocol):
    def write(self, block: Samples) -> None: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "text", metavar="TEXT", help="what to say, SSML or not; - reads it from standard input"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="a sound file instead of playing")
    parser.add_argument(
        "--source",
        default="espeak",
        metavar="SOURCE",
        help=f"what speaks underneath: {', '.join(KINDS)}; CMD is a program that gets the text "
        "where it says {text}, or on standard input, and gives a WAV on standard output, or where "
        "it says {out} (default: espeak)",
    )
    parser.add_argument("--voice", metavar="NAME", help="of the source, such as fr or en-us+f3")
    add_persona(parser)
    parser.add_argument(
        "--mood", choices=MOODS, default="neutral", help="unless tags say otherwise"
    )
    parser.add_argument("--mode", choices=MODES, default="live", help="look-ahead (default: live)")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="other weights than the persona's"
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(options: argparse.Namespace) -> int:
    text = sys.stdin.read() if options.text == "-" else options.text
    if not sentences(text):
        raise SettingError(f"the text must hold a word to say, got {text!r}", code="empty_text")
    persona, manner = whom(options.persona, options.store)
    saying = Saying(read_script(text, MOODS[options.mood]))
    if problems := saying.script.problems:
        more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
        print(f"persona-voice: the text is said all the same: {problems[0]}{more}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_source(options.source, options.voice))
        stream = open_stream(
            persona, source.sample_rate, options.mode, manner=manner, weights=options.weights
        )
        sink = stack.enter_context(_sink(options.out, source.sample_rate))
        started = time.monotonic()
        samples, first, faults = 0, 0.0, stream.status.faults
        for block in spoken(source, stream, saying):
            sink.write(block)
            if len(block) and not samples:
                first = time.monotonic() - started
            samples += len(block)
            faults = stream.status.faults or faults  # the end of the stream forgets them
        wall = time.monotonic() - started
    if not samples:
        raise SourceError(f"{options.source} gave no sound for {text!r}", code="source_no_sound")
    seconds = samples / stream.sample_rate
    facts = {
        "text": text,
        "output": str(options.out) if options.out else "loudspeaker",
        "persona": stream.persona.name,
        "mode": options.mode,
        "source": options.source,
        "sample_rate_hz": stream.sample_rate,
        "seconds": round(seconds, 3),
        "first_sound_ms": round(1000 * first, 1),
        "latency_samples": stream.latency_samples,
        "rtf": round(wall / seconds, 4),
        "marks": [
            {"name": name, "seconds": round(at / source.sample_rate, 3)}
            for name, at in saying.marks
        ],
        "faults": faults,
    }
    if options.json:
        print(json.dumps(facts))
    else:
        print(
            f"{facts['output']}: {seconds:.1f} s as {facts['persona']}, "
            f"first sound after {1000 * first:.0f} ms"
        )
    return 0


def _sink(out: Path | None, sample_rate: int) -> contextlib.AbstractContextManager[Sink]:
    if out is not None:
        from persona_voice.audio.files import SoundWriter

        return SoundWriter(out, sample_rate)
    from persona_voice.audio.playing import Player

    try:
        return Player(sample_rate)
    except DeviceError as error:
        message = f"{error}; --out FILE.wav writes a file instead"
        raise DeviceError(message, code=error.code) from error
