"""The core on a processor without AVX, AVX2, AVX-512 and fused sums, emulated: the same to rounding.

Needs qemu-x86_64 (Debian: qemu-user), and an x86 to compare with.
"""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

QEMU = shutil.which("qemu-x86_64")
# The oldest that numpy runs on: SSE4.2, and nothing of 256 bits.
PROCESSOR = "Nehalem"
# Rounding, over networks and filters.
LEAST_SNR_DB = 90.0

PROGRAM = """
import sys
import numpy as np
from persona_voice import _core
from persona_voice.build import open_stream

rng = np.random.default_rng(5)
time = np.arange(14_400) / 24_000
voice = sum(np.sin(2 * np.pi * 120 * h * time) / h for h in range(1, 12))
x = 0.1 * voice * (np.sin(9 * time) > -0.5) + 0.001 * rng.standard_normal(len(time))
x = x.astype(np.float32)
stream = open_stream("samantha", 24_000)
found = {"path": np.concatenate([stream.process(block) for block in np.split(x, 60)])}
assert not stream.status.faults
found["resample"] = _core.Resampler(24_000, 44_100).process(x)
found["log_mel"] = _core.LogMel().process(x)
found["vad"] = _core.Vad().process(x)
found["meter"] = _core.Meter(24_000).process(x)
found["limit"] = _core.Limiter(24_000, -20.0).process(x)
np.savez(sys.argv[1], **found)
"""


def run(file: Path, *before: str) -> dict[str, np.ndarray]:
    subprocess.run([*before, sys.executable, "-c", PROGRAM, str(file)], check=True, timeout=600)
    with np.load(file) as found:
        return dict(found)


def snr_db(got: np.ndarray, expected: np.ndarray) -> float:
    off = got.astype(np.float64) - expected
    return float(10 * np.log10(np.mean(np.square(expected, dtype=float)) / np.mean(off**2)))


@pytest.mark.slow
@pytest.mark.skipif(QEMU is None, reason="qemu-x86_64 is not here (Debian: qemu-user)")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="compares one x86 with another")
def test_a_processor_without_wide_registers_gives_the_same(tmp_path: Path) -> None:
    here = run(tmp_path / "here.npz")
    there = run(tmp_path / "there.npz", str(QEMU), "-cpu", PROCESSOR)
    assert (here["path"] != there["path"]).any(), "it took the same way"
    for name, expected in here.items():
        assert np.isfinite(there[name]).all()
        if (there[name] != expected).any():
            assert snr_db(there[name], expected) > LEAST_SNR_DB, name
        # The mutant: off by a ten-thousandth.
        assert snr_db(expected * np.float32(1.0001), expected) < LEAST_SNR_DB
