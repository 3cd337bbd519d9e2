"""``persona-voice``: the commands, and what becomes of errors."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from persona_voice.errors import DeviceError, PersonaVoiceError, WeightsError

# Each is a module of this folder with `add_arguments(parser)` and `run(options) -> exit code`.
COMMANDS = {
    "demo": "convert the recordings that come with the package, and a spoken sentence",
    "convert": "a sound file into the persona's voice",
    "say": "text to speech underneath, the persona on top",
    "monitor": "live, microphone to loudspeaker",
}
OK, ERROR, DEVICE, MODEL, INTERRUPTED = 0, 1, 4, 5, 130


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that is asked for is imported."""
    parser = argparse.ArgumentParser(
        prog="persona-voice",
        description="Any speech in, one persona's voice out.",
        epilog="Exit codes: 0 ok, 1 error, 2 usage, 4 sound device, 5 model, 130 interrupted.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if word in COMMANDS), None)
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
    return MODEL if isinstance(error, WeightsError) else ERROR


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = parser_for(words).parse_args(words)
    try:
        return int(options.run(options))
    except PersonaVoiceError as error:
        print(f"persona-voice: {error}", file=sys.stderr)
        return exit_code(error)
    except BrokenPipeError:  # whoever read our output has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except KeyboardInterrupt:
        print("persona-voice: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
