"""To exported weights, from nothing or from others: models, pairs, other speech, teacher, listener, training, tuning, export,
judgement.

    python -m training [--cache DIR] [--pairs N] [--steps N]
    python -m training --begin WEIGHTS --run NAME [--cache DIR] [--tuning-steps N] [--seed N]

With ``--begin`` exported weights are tuned on: they label the speech (`training.own`) in the place of teacher,
listener and training, whose options count for nothing then. Stopped at any moment and started again, it goes on where it was. Nothing
outside the cache is written but the weights at ``--out``.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from training.models import VOICES, fetch

CORES = os.cpu_count() or 1
DEFAULT_CACHE = Path.home() / ".cache" / "persona-voice"


def start(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, words)], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def finish(processes: list[subprocess.Popen[bytes]]) -> None:
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"{processes[0].args[2]} failed with exit code {max(codes, key=abs)}")


def run(*words: object) -> None:
    finish([start(*words)])


def in_shards(*words: object) -> None:
    """One process a core, each with its share."""
    finish([start(*words, "--shard", f"{k}/{CORES}") for k in range(CORES)])


def next_is(what: str) -> None:
    print(f"--- {what}", flush=True)


def from_nothing(options: argparse.Namespace) -> Path:
    """Trains weights that are not tuned yet."""
    cache = options.cache
    next_is("content")
    in_shards("training.content", "--cache", cache, "--models", cache / "models")
    next_is("teacher")
    run("training.teacher", "--cache", cache, "--steps", options.teacher_steps, "--threads", CORES)
    next_is("listener")
    run("training.listener", "--cache", cache, "--threads", CORES)
    next_is("training")
    run(
        "training.train", "--cache", cache, "--run", options.run, "--steps", options.steps,
        "--seed", options.seed, "--threads", CORES,
    )  # fmt: skip
    weights: Path = cache / "runs" / f"{options.run}.safetensors"
    run("training.export", "--cache", cache, "--run", options.run, weights)
    return weights


def labelling(options: argparse.Namespace) -> Path:
    """The weights to begin with, which label the speech."""
    next_is("labels")
    weights: Path = options.begin
    in_shards("training.own", "--cache", options.cache, "--weights", weights)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument(
        "--run", help="its name; first, unless --begin is given, which asks for one"
    )
    parser.add_argument("--begin", type=Path, help="weights to tune on")
    parser.add_argument("--pairs", type=int, default=800)
    parser.add_argument("--sentences", type=int, default=900, help="by espeak-ng and flite")
    parser.add_argument("--teacher-steps", type=int, default=1200)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--tuning-steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7, help="of the batches")
    parser.add_argument(
        "--out", type=Path, default=Path("persona_voice/assets/weights/converter.safetensors")
    )
    options = parser.parse_args()
    if options.begin and not (options.run and options.begin.is_file()):
        parser.error("--begin needs a file of weights, and a --run of its own")
    options.run = options.run or "first"
    cache = options.cache
    models = cache / "models"
    next_is("models")
    fetch(models)
    next_is("pairs")
    in_shards(
        "training.pairs", "--cache", cache, "--models", models, "--voices", VOICES,
        "--count", options.pairs,
    )  # fmt: skip
    next_is("envelopes")
    in_shards("training.envelopes", "--cache", cache)
    next_is("speech")
    run("training.speech", "--cache", cache, "--count", options.sentences)
    untuned = labelling(options) if options.begin else from_nothing(options)
    next_is("ear")
    run("training.ear", "--cache", cache, "--models", models, "--threads", CORES)
    next_is("tuning")
    candidate = cache / "runs" / f"{options.run}_tuned.safetensors"
    run(
        "training.tune", "--cache", cache, "--models", models, "--begin", untuned,
        "--run", candidate.stem, "--steps", options.tuning_steps, "--seed", options.seed,
        "--threads", CORES,
    )  # fmt: skip
    next_is("export")
    both_ends = ("--mean-with", untuned) if options.begin else ()
    run("training.export", "--cache", cache, "--run", candidate.stem, *both_ends, candidate)
    next_is("judgement")
    report = candidate.with_suffix(".quality.json")
    run("benches", "quality", "--weights", candidate, "--models", models, "--json", report)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(candidate.read_bytes())
    print(f"weights: {options.out}\nfigures: {report}")


if __name__ == "__main__":
    main()
