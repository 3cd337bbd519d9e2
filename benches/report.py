"""What every result holds besides its numbers, and how it is written."""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from persona_voice import _core
from training.whole import whole

Result = dict[str, Any]


def circumstances(bench: str, settings: Result) -> Result:
    """Bench, settings, commit, processor, build profile and date."""
    return {
        "bench": bench,
        "settings": settings,
        "commit": _commit(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "build_profile": _core.build_profile,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def refuse_debug() -> None:
    """A debug build of the core is ten times slower; its numbers would mislead."""
    if _core.build_profile == "debug":
        sys.exit("benches need a release build of the core; this one's build_profile is debug")


def add_json_and_models(parser: argparse.ArgumentParser) -> None:
    """What a bench is told that needs the models of the judges and nothing else."""
    home = Path.home() / ".cache" / "persona-voice-lab"
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--models", type=Path, default=home, help="default: %(default)s")


def write(result: Result, file: Path | None) -> None:
    if file is not None:
        with whole(file) as out:
            out.write((json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
        print(f"written to {file}")


def _commit() -> str:
    """Of the work tree, with ``+`` when something tracked has changed; ``unknown`` outside one."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
