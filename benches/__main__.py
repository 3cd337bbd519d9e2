"""``python -m benches BENCH [options]``."""

import argparse
import importlib

BENCHES = {
    "quality": "words, likeness, cleanness and melody of real and synthetic speech converted",
    "speed": "time per block and share of a core of one live stream",
    "convert": "the whole path by engine and block, and its network against torch, ONNX Runtime and LLVC",
    "streams": "how many live streams one thread carries, in a batch and one by one",
    "latency": "how late the output is, measured against stated",
    "mood": "what each mood changes in converted speech, against its table",
    "voices": "designed voices: clear, like themselves, unlike the others",
    "evolution": "years of growth among thousands of listeners, some of them hostile",
    "f0": "F0, voicing and confidence by our tracker and by others, on speech of known F0",
    "verifier": "who is told apart by our speaker verifier and by Resemblyzer",
    "monitor": "a live session on a real sound server: faults, latency, clicks, processor",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches", description="See benches/README.md.")
    commands = parser.add_subparsers(dest="bench", required=True)
    for name, what in BENCHES.items():
        module = importlib.import_module(f"benches.{name}")
        command = commands.add_parser(name, help=what, description=what)
        module.add_arguments(command)
        command.set_defaults(run=module.main)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
