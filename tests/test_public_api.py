"""What an app may import, how soon, and what that import leaves alone."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import persona_voice

ROOT = Path(__file__).parents[1]
# Of the fastest of a few: a busy machine makes one slow, not all.
IMPORT_SECONDS = 0.3
PROBE = """
import json, sys, time
started = time.perf_counter()
import persona_voice
seconds = time.perf_counter() - started
print(json.dumps([seconds, sorted(sys.modules)]))
"""


def probe() -> tuple[float, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, modules = json.loads(done.stdout)
    return float(seconds), set(modules)


def test_import_is_quick_and_loads_no_torch_and_no_sound_card() -> None:
    found = [probe() for _ in range(5)]
    assert min(seconds for seconds, _ in found) < IMPORT_SECONDS
    assert not found[0][1] & {"torch", "sounddevice", "soundfile", "numpy", "persona_voice._core"}


@pytest.mark.parametrize("name", persona_voice.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(persona_voice, name).__module__.startswith("persona_voice.")
    assert name in dir(persona_voice)


def test_another_name_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="'persona_voice' has no attribute 'sing'"):
        getattr(persona_voice, "sing")  # noqa: B009 (a type checker would refuse the other form)
    with pytest.raises(ImportError):
        importlib.import_module("persona_voice.sing")
