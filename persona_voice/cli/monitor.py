"""``persona-voice monitor``: speak into the microphone, hear the persona, see how it goes."""

import argparse
import sys
import time
from pathlib import Path

from persona_voice.audio.devices import DeviceSettings, SoundCard, list_devices
from persona_voice.build import open_stream
from persona_voice.cli.whom import add_persona, whom
from persona_voice.converter import MODES
from persona_voice.live.meters import line
from persona_voice.live.realtime import realtime
from persona_voice.live.session import Session
from persona_voice.persona.mood import MOODS

# The status is shown this often.
SHOW_S = 0.25
# When no terminal reads it, a line this often is enough.
LOG_S = 10.0


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be more than 0, got {text}")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="list the sound devices, and stop")
    parser.add_argument("--input", metavar="DEVICE", help="number, name or part of the name")
    parser.add_argument("--output", metavar="DEVICE", help="number, name or part of the name")
    parser.add_argument("--rate", type=int, default=48_000, help="in Hz (48000)")
    parser.add_argument("--block-ms", type=positive, default=10.0, help="of the device (10)")
    parser.add_argument(
        "--headroom-ms",
        type=positive,
        default=20.0,
        help="time to work in, and sound that the driver holds ready, beyond a block (20 each); "
        "more of it on a busy machine",
    )
    parser.add_argument("--seconds", type=positive, help="stop after so long")
    add_persona(parser)
    parser.add_argument("--mood", choices=MOODS, default="neutral", help="all the while")
    parser.add_argument("--mode", choices=MODES, default="live", help="studio: more look-ahead")
    parser.add_argument("--weights", type=Path, help="a weights file instead of the persona's own")


def run(options: argparse.Namespace) -> int:
    if options.list:
        print(device_table())
        return 0
    # The stream first: whoever lacks the model should not hear of sound cards.
    persona, manner = whom(options.persona, options.store)
    stream = open_stream(
        persona, options.rate, options.mode, manner=manner, weights=options.weights
    )
    stream.express(options.mood, half_life_s=None)
    device = SoundCard(
        DeviceSettings(
            options.input, options.output, options.rate, options.block_ms, options.headroom_ms
        )
    )
    print(f"{device.name}, {options.rate} Hz. Headphones, or it hears itself. Ctrl-C ends it.")
    with realtime(), Session(stream, device, options.headroom_ms) as session:
        watch(session, options.seconds)
    return 0


def watch(session: Session, seconds: float | None) -> None:
    """Shows the status until the time is over or somebody interrupts, then a last time."""
    end = float("inf") if seconds is None else time.monotonic() + seconds
    terminal = sys.stdout.isatty()
    every = SHOW_S if terminal else LOG_S
    try:
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(every, left))
            show(session, terminal=terminal)
    except KeyboardInterrupt:  # the usual way to end it
        show(session, terminal=terminal)
        raise
    finally:
        if terminal:
            print()


def show(session: Session, *, terminal: bool) -> None:
    text = line(session.status)
    # A terminal's line is written over, and cleared to its end.
    print(f"\r{text}\x1b[K" if terminal else text, end="" if terminal else "\n", flush=True)


def device_table() -> str:
    """The devices as text, a line each."""
    devices = list_devices()
    if not devices:
        return "no sound devices"
    return "\n".join(
        f"{of.number:3}  {of.name}  ({of.driver}, {of.inputs} in, {of.outputs} out, "
        f"{of.sample_rate} Hz{', default ' + of.default if of.default else ''})"
        for of in devices
    )
