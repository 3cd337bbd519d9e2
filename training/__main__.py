"""From nothing to exported weights: models, pairs, other speech, teacher, listener, training, tuning, export, judgement.

    python -m training [--cache DIR] [--pairs N] [--steps N]

Stopped at any moment and started again, it goes on where it was. Nothing outside the cache is
written but the weights at ``--out``.
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--run", default="first")
    parser.add_argument("--pairs", type=int, default=800)
    parser.add_argument("--sentences", type=int, default=900, help="by espeak-ng and flite")
    parser.add_argument("--teacher-steps", type=int, default=1200)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--tuning-steps", type=int, default=1000)
    parser.add_argument(
        "--out", type=Path, default=Path("persona_voice/assets/weights/converter.safetensors")
    )
    options = parser.parse_args()
    cache = options.cache
    models = cache / "models"
    print("1/12 models", flush=True)
    fetch(models)
    print("2/12 pairs", flush=True)
    in_shards(
        "training.pairs", "--cache", cache, "--models", models, "--voices", VOICES,
        "--count", options.pairs,
    )  # fmt: skip
    print("3/12 envelopes", flush=True)
    in_shards("training.envelopes", "--cache", cache)
    print("4/12 speech", flush=True)
    run("training.speech", "--cache", cache, "--count", options.sentences)
    print("5/12 content", flush=True)
    in_shards("training.content", "--cache", cache, "--models", models)
    print("6/12 teacher", flush=True)
    run("training.teacher", "--cache", cache, "--steps", options.teacher_steps, "--threads", CORES)
    print("7/12 listener", flush=True)
    run("training.listener", "--cache", cache, "--threads", CORES)
    print("8/12 training", flush=True)
    run(
        "training.train", "--cache", cache, "--run", options.run, "--steps", options.steps,
        "--threads", CORES,
    )  # fmt: skip
    print("9/12 ear", flush=True)
    run("training.ear", "--cache", cache, "--models", models, "--threads", CORES)
    print("10/12 tuning", flush=True)
    untuned, candidate = (
        cache / "runs" / f"{name}.safetensors" for name in (options.run, f"{options.run}_tuned")
    )
    run("training.export", "--cache", cache, "--run", options.run, untuned)
    run(
        "training.tune", "--cache", cache, "--models", models, "--begin", untuned,
        "--run", candidate.stem, "--steps", options.tuning_steps, "--threads", CORES,
    )  # fmt: skip
    print("11/12 export", flush=True)
    run("training.export", "--cache", cache, "--run", candidate.stem, candidate)
    print("12/12 judge", flush=True)
    report = candidate.with_suffix(".quality.json")
    run("benches", "quality", "--weights", candidate, "--models", models, "--json", report)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(candidate.read_bytes())
    print(f"weights: {options.out}\nfigures: {report}")


if __name__ == "__main__":
    main()
