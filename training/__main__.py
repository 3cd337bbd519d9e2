"""From nothing to exported weights: models, pairs, training, export, judgement.

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

DEFAULT_CACHE = Path.home() / ".cache" / "persona-voice"


def run(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, words)], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def wait(processes: list[subprocess.Popen[bytes]]) -> None:
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"{processes[0].args[2]} failed with exit code {max(codes, key=abs)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--run", default="first")
    parser.add_argument("--pairs", type=int, default=700)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument(
        "--out", type=Path, default=Path("persona_voice/assets/weights/converter.safetensors")
    )
    options = parser.parse_args()
    cache, cores = options.cache, os.cpu_count() or 1
    models = cache / "models"
    print("1/6 models", flush=True)
    fetch(models)
    print("2/6 pairs", flush=True)
    wait([
        run(
            "training.pairs", "--cache", cache, "--models", models, "--voices", VOICES,
            "--count", options.pairs, "--shard", f"{k}/{cores}",
        )
        for k in range(cores)
    ])  # fmt: skip
    print("3/6 envelopes", flush=True)
    wait([
        run("training.envelopes", "--cache", cache, "--shard", f"{k}/{cores}") for k in range(cores)
    ])  # fmt: skip
    print("4/6 training", flush=True)
    wait([run("training.train", "--cache", cache, "--run", options.run, "--steps", options.steps)])
    print("5/6 export", flush=True)
    candidate = cache / "runs" / f"{options.run}.safetensors"
    wait([run("training.export", "--cache", cache, "--run", options.run, candidate)])
    print("6/6 judge", flush=True)
    report = candidate.with_suffix(".quality.json")
    wait([run("benches", "quality", "--weights", candidate, "--models", models, "--json", report)])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(candidate.read_bytes())
    print(f"weights: {options.out}\nfigures: {report}")


if __name__ == "__main__":
    main()
