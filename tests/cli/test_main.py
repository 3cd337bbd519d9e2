"""What every command shares: one line for a failure, the right exit code, nothing left behind."""

import argparse
import errno
import importlib.metadata
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from persona_voice.cli import convert
from persona_voice.cli import main as cli
from persona_voice.errors import AudioFileError, DeviceError, SettingError, WeightsError

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "persona_voice.cli.main"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SettingError("a must be b", code="c"), 2, "a must be b"),
        (AudioFileError("no file a\nb\udcff.wav", code="no_file"), 1, "no file a\\nb\\udcff.wav"),
        (DeviceError("no device", code="no_device"), 4, "no device"),
        (WeightsError("no weights", code="weights_missing"), 5, "no weights"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (OSError(errno.EIO, "Input/output error", "a.toml"), 1, "a.toml: Input/output error"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_failure_is_one_line_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    def fail(_options: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(convert, "run", fail)
    assert cli.main(["convert", "in.wav", "out.wav"]) == code
    assert capsys.readouterr().err == f"persona-voice: {line}\n"


def test_an_interrupt_while_a_command_loads_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupted)
    assert cli.main(["say", "Hello."]) == cli.INTERRUPTED
    assert capsys.readouterr().err == "persona-voice: interrupted\n"


def test_a_mistake_in_the_words_exits_2() -> None:
    for words in ([], ["sing"], ["convert", "in.wav"], ["convert", "a", "b", "--block-ms", "x"]):
        with pytest.raises(SystemExit, match="2"):
            cli.main(words)


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == importlib.metadata.version("persona-voice-engine")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main([name, "--help"])
    assert cli.COMMANDS[name] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_at_work_it_leaves_nothing(tmp_path: Path, sent: signal.Signals) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.flac", 0.1 * rng.standard_normal(16_000 * 300), 16_000)
    words = ["convert", str(tmp_path / "long.flac"), str(tmp_path / "out.wav")]
    process = subprocess.Popen(
        [*COMMAND, *words],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # whatever runs the tests
    )
    while not list(tmp_path.glob(".out.wav.*.part")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + sent
    assert said == (b"persona-voice: interrupted\n" if sent == signal.SIGINT else b"")
    assert [file.name for file in tmp_path.iterdir()] == ["long.flac"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("output", ["-", "out.wav"])
def test_an_output_that_is_full_is_one_line(tmp_path: Path, output: str) -> None:
    soundfile.write(tmp_path / "in.wav", np.zeros(1_600), 16_000)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "convert", "in.wav", output],
            env=ENVIRONMENT,
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"persona-voice: No space left on device\n")


def test_a_reader_that_leaves_ends_it_without_a_word(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", np.zeros(160_000), 16_000)
    words = ["convert", str(tmp_path / "in.wav"), "-", "--block-ms", "100"]
    process = subprocess.Popen(
        [*COMMAND, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1
    process.stderr.close()


@pytest.mark.parametrize("samples", [[0.0, 0.0], [0.0, np.nan]])
def test_a_terminal_gets_a_bar_whose_line_ends(tmp_path: Path, samples: list[float]) -> None:
    """Also before an error, which would otherwise stand behind the bar."""
    sound = np.repeat(samples, 16_000)
    soundfile.write(tmp_path / "in.wav", sound, 16_000, "FLOAT")
    ours, theirs = pty.openpty()
    words = ["convert", str(tmp_path / "in.wav"), str(tmp_path / "out.wav")]
    done = subprocess.run(
        [*COMMAND, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=theirs, check=False
    )
    os.close(theirs)
    said = os.read(ours, 65_536).decode().replace("\r\n", "\n")
    os.close(ours)
    good = bool(np.isfinite(sound).all())
    assert done.returncode == (0 if good else 1)
    bar, *rest = said.split("\n")
    last = bar.rsplit("\r", 1)[1]
    # The second second is refused; of the first, the latency is still to come.
    assert re.search("100% of 2 s$" if good else r" 4\d% of 2 s$", last)
    assert rest[-1] == ""
    assert [line.split(":")[0] for line in rest[:-1]] == ([] if good else ["persona-voice"])


@pytest.mark.parametrize(
    ("given", "said"),
    [(b"", "must hold at least one sample, got none"), (b"abc", "whole samples of 2 bytes, got 1")],
)
@pytest.mark.parametrize("output", ["-", "out.wav"])
def test_raw_input_that_is_no_sound_is_refused(
    tmp_path: Path, given: bytes, said: str, output: str
) -> None:
    done = subprocess.run(
        [*COMMAND, "convert", "-", output],
        env=ENVIRONMENT,
        cwd=tmp_path,
        input=given,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ten_minutes_take_no_more_memory_than_one(tmp_path: Path) -> None:
    """Silence with a burst each second: the length is what counts, and it compresses to little."""
    probe = (
        "import resource, sys; from persona_voice.cli.main import main; code = main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    )
    second = np.zeros(8_000, np.float32)
    second[:400] = np.random.default_rng(0).normal(0, 0.1, 400)
    peak_kib = []
    for minutes in (1, 10):
        with soundfile.SoundFile(tmp_path / "in.flac", "w", 8_000, 1) as file:
            for _ in range(60 * minutes):
                file.write(second)
        words = ["convert", str(tmp_path / "in.flac"), str(tmp_path / "out.flac")]
        done = subprocess.run(
            [sys.executable, "-c", probe, *words], env=ENVIRONMENT, capture_output=True, check=True
        )
        peak_kib.append(int(done.stdout.split()[-1]))
    # Ten minutes of samples, as float32, take 18,750 KiB, and no step may keep one copy of them.
    assert peak_kib[1] - peak_kib[0] < 10_000
