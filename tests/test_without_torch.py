"""Live use needs no torch: in an environment that holds what the package depends on, and nothing else."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = """
import importlib.util
import numpy as np
import persona_voice
from persona_voice.cli.main import main

assert importlib.util.find_spec("torch") is None
stream = persona_voice.open_stream("samantha", sample_rate=16_000)
out = stream.process(np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32))
assert np.abs(out).max() > 0.001, np.abs(out).max()
try:
    persona_voice.open_stream("samantha", engine="torch")
except persona_voice.WeightsError as error:
    assert error.code == "no_torch"
else:
    raise AssertionError("torch was found")
raise SystemExit(main(["convert", {sound!r}, "out.wav"]))
"""


def needed(requirement: str, found: set[str]) -> None:
    """Adds a distribution and all that it needs here, extras left out."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        return
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # for another platform
        return
    found.add(key)
    for line in requires:
        if "extra ==" not in line:
            needed(line, found)


def link_all(names: set[str], folder: Path) -> None:
    for name in names:
        distribution = metadata.distribution(name)
        for first in {file.parts[0] for file in distribution.files or [] if ".." not in file.parts}:
            link = folder / first
            if not link.exists():
                link.symlink_to(distribution.locate_file(first))


def test_import_and_conversion_work_in_an_environment_without_torch(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names: set[str] = set()
    for line in project["dependencies"]:
        needed(line, names)
    packages = tmp_path / "packages"
    packages.mkdir()
    link_all(names, packages)
    sound = ROOT / "persona_voice/assets/recordings/kennedy_en_m.flac"
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM.replace("{sound!r}", repr(str(sound)))],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(packages)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.wav").stat().st_size > 100_000
