"""Each example runs as its first line says, on a second of a real recording."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import persona_voice
from persona_voice import _core

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
RECORDING = ROOT / "persona_voice" / "assets" / "recordings" / "arctic_awb_en_m.flac"


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def second(tmp_path: Path) -> Path:
    samples, rate = soundfile.read(RECORDING)
    one = samples[rate // 2 : rate // 2 + rate]
    soundfile.write(tmp_path / "in.wav", np.stack([one, one], axis=1), rate)
    return tmp_path / "in.wav"


def test_every_example_is_run_here_and_uses_public_names_only() -> None:
    files = sorted(EXAMPLES.glob("*.py"))
    assert [file.name for file in files] == [
        "conversation.py",
        "convert_file.py",
        "dialogue.py",
        "grow.py",
        "pitch_meter.py",
        "resampler.py",
        "say.py",
        "stream_blocks.py",
        "vad_gate.py",
    ]
    for file in files:
        text = file.read_text()
        names = set(re.findall(r"persona_voice\.(\w+)", text))
        assert names <= {*persona_voice.__all__, "_core"}
        assert "from persona_voice" not in text
        assert len(text.splitlines()) <= 35


def test_convert_file(second: Path) -> None:
    out = second.with_name("out.wav")
    done = run("convert_file.py", str(second), str(out))
    assert done.returncode == 0, done.stderr
    assert soundfile.info(out).frames == soundfile.info(second).frames
    assert np.abs(soundfile.read(out)[0]).max() > 0.01


def test_convert_file_says_what_is_wrong(tmp_path: Path) -> None:
    done = run("convert_file.py", str(tmp_path / "none.wav"), str(tmp_path / "out.wav"))
    assert done.returncode == 1
    assert "(no_file)" in done.stderr
    assert "Traceback" not in done.stderr


def test_stream_blocks(second: Path) -> None:
    out = second.with_name("out.wav")
    done = run("stream_blocks.py", str(second), str(out))
    assert done.returncode == 0, done.stderr
    stream = persona_voice.open_stream(sample_rate=soundfile.info(second).samplerate)
    expected = soundfile.info(second).frames + stream.latency_samples
    assert soundfile.info(out).frames == expected
    assert "100 blocks" in done.stdout


def test_vad_gate(second: Path) -> None:
    """Speech, then a second of silence."""
    samples, rate = soundfile.read(second)
    soundfile.write(second, np.concatenate([samples, 0 * samples]), rate)
    done = run("vad_gate.py", str(second))
    assert done.returncode == 0, done.stderr
    said = [line.split()[2] for line in done.stdout.splitlines()]
    assert "speech" in said
    assert said[-1] == "quiet"


def test_resampler(second: Path) -> None:
    out = second.with_name("out.wav")
    done = run("resampler.py", str(second), str(out), "24000")
    assert done.returncode == 0, done.stderr
    assert "100 blocks, 1.5" in done.stdout
    made, rate = soundfile.read(out, dtype="float32")
    samples, before = soundfile.read(second, dtype="float32")
    assert (rate, len(made)) == (24_000, -(-len(samples) * 24_000 // before))
    assert np.std(made) == pytest.approx(np.std(samples), rel=0.05)


def test_say(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    done = run("say.py", "Good morning.", str(out))
    assert done.returncode == 0, done.stderr
    assert 0.5 < soundfile.info(out).duration < 3
    assert np.abs(soundfile.read(out)[0]).max() > 0.01


def test_pitch_meter(tmp_path: Path) -> None:
    seconds = np.arange(16_000) / 16_000
    harmonics = [np.sin(2 * np.pi * 220 * k * seconds) / k for k in range(1, 20)]
    soundfile.write(tmp_path / "in.wav", 0.1 * np.sum(harmonics, axis=0), 16_000)
    done = run("pitch_meter.py", str(tmp_path / "in.wav"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 90
    assert sum("A3" in line for line in lines) > 0.95 * len(lines)


def test_dialogue(tmp_path: Path) -> None:
    """Both are heard, and are not the same."""
    out = tmp_path / "out.wav"
    done = run("dialogue.py", str(EXAMPLES / "dialogue.txt"), str(out))
    assert done.returncode == 0, done.stderr
    assert "6 lines" in done.stdout
    samples, rate = soundfile.read(out, dtype="float32")
    gap = rate // 3
    quiet = np.flatnonzero(np.abs(samples) > 0)
    ends = np.flatnonzero(np.diff(quiet) >= gap)
    assert len(ends) == 5
    lines = np.split(samples, quiet[ends] + gap // 2)
    pitches = [median_hz(line, rate) for line in lines]
    for hers, other in zip(pitches[::2], pitches[1::2], strict=True):
        assert hers > 1.15 * other


def median_hz(samples: np.ndarray, rate: int) -> float:
    sound = _core.Resampler(rate, 24_000).process(np.ascontiguousarray(samples))
    f0 = _core.F0Tracker().process(sound)
    return float(np.median(f0[f0[:, 2] > 0.5, 0]))


def test_conversation(second: Path) -> None:
    samples, rate = soundfile.read(RECORDING)
    heard, out, store = (second.with_name(name) for name in ("heard.wav", "out.wav", "a.db"))
    soundfile.write(heard, samples, rate)
    talked_s = []
    for _ in range(2):
        done = run("conversation.py", str(store), "Ann", str(heard), str(out))
        assert done.returncode == 0, done.stderr
        assert np.abs(soundfile.read(out)[0]).max() > 0.01
        with persona_voice.Store(store) as kept:
            leaning = kept.leaning("samantha", "Ann", time.time())
        assert leaning is not None
        talked_s.append(leaning.talked_s)
    assert talked_s[1] == 2 * talked_s[0] > 2
    silent = second.with_name("silent.wav")
    soundfile.write(silent, np.zeros(rate), rate)
    assert run("conversation.py", str(store), "Ann", str(silent), str(out)).returncode == 1


def test_grow(second: Path) -> None:
    store, out = second.with_name("a.db"), second.with_name("out.wav")
    for _ in range(2):
        done = run("grow.py", str(store), "ann", str(second), str(out))
        assert done.returncode == 0, done.stderr
        assert "day 1 of her life" in done.stdout
    assert np.abs(soundfile.read(out)[0]).max() > 0.01
    with persona_voice.Store(store) as kept:
        assert [of.kind for of in kept.events("samantha")].count(
            persona_voice.Kind.CONVERSATION
        ) == 2


def test_the_programs_of_the_readme_run_one_after_the_other(tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "README.md").read_text()
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    assert program.count("persona_voice.") > 8
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "iris.db").exists()
