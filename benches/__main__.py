"""``python -m benches BENCH [options]``."""

import argparse
import importlib

BENCHES = {
    "quality": "words, likeness, cleanness and melody of real and synthetic speech converted",
    "resample": "changing the sample rate: cost, delay and cleanness against others",
    "speed": "time per block and share of a core of one live stream",
    "convert": "the whole path by engine and block, and its network against torch, ONNX Runtime and LLVC",
    "level": "loudness, limiter, gain and fade against libebur128, pedalboard, WebRTC and speexdsp",
    "streams": "how many live streams one thread carries, in a batch and one by one",
    "latency": "how late the output is, measured against stated",
    "vocoder": "speech taken apart and sounded again, against WORLD",
    "prosody": "F0 moved with the formants kept, against Rubber Band, Signalsmith, Praat and others",
    "mood": "what each mood changes in converted speech, against its table",
    "voices": "designed voices: clear, like themselves, unlike the others",
    "enrol": "voices modelled on a few minutes: how near they come, and who is let in",
    "lookahead": "words and likeness against look-ahead: heads for other moments, tuned on the same layers",
    "evolution": "years of growth among thousands of listeners, some of them hostile",
    "f0": "F0 and voicing by our tracker and by others, on speech of known F0",
    "verifier": "who is told apart by our speaker verifier and by Resemblyzer",
    "vad": "who hears speech, how soon and how well in noise: ours beside the detectors of others",
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
