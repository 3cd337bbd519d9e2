"""``persona-voice``: the commands, and what becomes of errors."""

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from persona_voice.errors import (
    ConsentError,
    DeviceError,
    PersonaVoiceError,
    SettingError,
    WeightsError,
)

# Each is a module of this folder with `add_arguments(parser)` and `run(options) -> exit code`.
COMMANDS = {
    "demo": "convert the recordings that come with the package, and a spoken sentence",
    "convert": "a sound file into the persona's voice",
    "say": "text to speech underneath, the persona on top",
    "monitor": "live, microphone to loudspeaker",
    "consent": "what somebody is asked before a voice is modelled on theirs",
    "enrol": "a voice modelled on somebody who left recordings, and agrees",
    "persona": "what is remembered of each persona: shown, taken along, forgotten",
}
OK, ERROR, USAGE, DEVICE, MODEL, INTERRUPTED = 0, 1, 2, 4, 5, 130


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that is asked for is imported."""
    parser = argparse.ArgumentParser(
        prog="persona-voice",
        description="Any speech in, one persona's voice out.",
        epilog="Exit codes: 0 ok, 1 error, 2 an option or argument outside its rule, 4 sound device, "
        "5 model or no consent, 130 interrupted.",
    )
    wanted = next((word for word in arguments if word in COMMANDS), None)
    if wanted is None:
        from importlib.metadata import version

        parser.add_argument("--version", action="version", version=version("persona-voice-engine"))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == wanted:
            module = importlib.import_module(f"persona_voice.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def exit_code(error: PersonaVoiceError) -> int:
    if isinstance(error, DeviceError):
        return DEVICE
    if isinstance(error, SettingError):
        return USAGE
    return MODEL if isinstance(error, WeightsError | ConsentError) else ERROR


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file may have a name that is not UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _termination_unwinds():
            options = parser_for(words).parse_args(words)
            code = int(options.run(options))
            sys.stdout.flush()  # here, where a full disk still has its exit code
            return code
    except PersonaVoiceError as error:
        return _failed(str(error), exit_code(error))
    except BrokenPipeError:  # whoever read our output has heard enough
        _drop_output()
        return ERROR
    except OSError as error:
        _drop_output()
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}", ERROR)
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)


def _failed(what: str, code: int) -> int:
    """One line, whatever the names of files hold."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in what)
    print(f"persona-voice: {line}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """What still waits to be written goes nowhere, so that the exit does not fail over it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _termination_unwinds() -> Iterator[None]:
    """Being terminated ends the command from inside, so that unfinished files go with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
