"""``persona-voice convert`` as a user meets it: a process, its exit code and its one line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

RECORDING = Path(__file__).parents[2] / "persona_voice/assets/recordings/kennedy_en_m.flac"


def persona_voice(*words: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "persona_voice.cli.main", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=300, check=False, **options)  # type: ignore[call-overload, no-any-return]


def refusal(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    assert done.returncode == code, done.stderr.decode()
    lines = done.stderr.decode().strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("persona-voice: ")
    return lines[0]


def test_a_file_is_converted_in_time_and_as_long(tmp_path: Path) -> None:
    done = persona_voice("convert", RECORDING, tmp_path / "out.flac", "--json")
    facts = json.loads(done.stdout)
    source, out = soundfile.info(str(RECORDING)), soundfile.info(str(tmp_path / "out.flac"))
    assert (out.frames, out.samplerate) == (source.frames, source.samplerate)
    assert facts["mode"] == "studio"
    assert facts["faults"] == {}
    assert facts["latency_ms"] <= 120


def test_a_pipe_gives_what_the_file_gives(tmp_path: Path) -> None:
    samples, rate = soundfile.read(RECORDING, dtype="int16", frames=32_000)
    soundfile.write(tmp_path / "in.wav", samples, rate)
    options = ["--mode", "live"]
    assert (
        persona_voice("convert", tmp_path / "in.wav", tmp_path / "out.wav", *options).returncode
        == 0
    )
    done = persona_voice("convert", "-", "-", *options, "--rate", rate, input=samples.tobytes())
    assert done.returncode == 0
    piped = np.frombuffer(done.stdout, "<i2").astype(int)
    filed = soundfile.read(tmp_path / "out.wav", dtype="int16")[0].astype(int)
    assert len(piped) == len(samples)
    assert np.abs(piped - filed).max() <= 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["none.wav", "out.wav"], 1, "no file none.wav"),
        (["text.wav", "out.wav"], 1, "must be a sound file"),
        (["in.wav", "out.xyz"], 1, "must end in a format"),
        (["in.wav", "no/out.wav"], 1, "cannot be written"),
        (["in.wav", "out.wav", "--persona", "nobody"], 1, "there are: samantha"),
        (["in.wav", "out.wav", "--block-ms", "0"], 2, "1..=60000 ms"),
        (["in.wav", "in.wav"], 2, "must be another file than IN"),
        (["in.wav", "out.wav", "--rate", "8000"], 2, "must come with raw samples"),
        (["in.wav", "-", "--rate", "8000"], 2, "must come with raw samples"),
        (["in.wav", "out.wav", "--format", "f32"], 2, "must come with raw samples"),
        (["in.wav", "out.wav", "--weights", "none.safetensors"], 5, "no weights at"),
        (["in.wav", "out.wav", "--weights", "text.wav"], 5, "whole safetensors file"),
    ],
)
def test_each_mistake_is_one_line_and_leaves_nothing(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    (tmp_path / "text.wav").write_text("not a sound")
    soundfile.write(tmp_path / "in.wav", np.zeros(1600), 16_000)
    before = sorted(tmp_path.iterdir())
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = persona_voice("convert", *words, cwd=tmp_path, env=environment)
    assert said in refusal(done, code)
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_usage_exits_2() -> None:
    assert persona_voice("convert", "only-one.wav").returncode == 2
    assert persona_voice("sing").returncode == 2


@pytest.mark.slow
def test_ctrl_c_in_the_middle_exits_130_and_leaves_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.wav", 0.1 * rng.standard_normal(16_000 * 600), 16_000)
    command = [sys.executable, "-m", "persona_voice.cli.main", "convert"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "long.wav"), str(tmp_path / "out.wav")],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # whatever runs the tests
    )
    while not list(tmp_path.glob(".out.wav.*.part")):  # until it is at work
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().splitlines()[-1] == "persona-voice: interrupted"
    assert b"Traceback" not in said
    assert [file.name for file in tmp_path.iterdir()] == ["long.wav"]
