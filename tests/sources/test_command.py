import io
import shlex
import struct
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from persona_voice.errors import SettingError, SourceError
from persona_voice.sources.command import CommandSource
from persona_voice.sources.source import open_source
from persona_voice.sources.wav import WavStream

TONE = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000) * 0.5


def wav(
    data: bytes,
    kind: int = 1,
    bits: int = 16,
    rate: int = 16_000,
    channels: int = 1,
    size: int = -1,
) -> bytes:
    width = channels * bits // 8
    layout = struct.pack("<HHIIHH", kind, channels, rate, rate * width, width, bits)
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    head = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", len(layout)) + layout + extra
    return head + b"data" + struct.pack("<I", len(data) if size < 0 else size) + data


def encoded(kind: int, bits: int) -> bytes:
    if kind == 3:
        return TONE.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return (TONE * 127 + 128).round().astype(np.uint8).tobytes()
    wide = (TONE * (2**31 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)
    return wide[:, 4 - bits // 8 :].tobytes()


def read(data: bytes) -> npt.NDArray[np.float32]:
    return np.concatenate(list(WavStream(io.BytesIO(data)).blocks()))


def program(tmp_path: Path, text: str) -> str:
    """A command that runs the Python text."""
    file = tmp_path / "speaks.py"
    file.write_text(text)
    return f"command:{shlex.quote(sys.executable)} {shlex.quote(str(file))}"


@pytest.mark.parametrize(
    ("kind", "bits", "tolerance"),
    [(1, 8, 0.01), (1, 16, 5e-5), (1, 24, 5e-7), (1, 32, 1e-7), (3, 32, 1e-7), (3, 64, 1e-7)],
)
def test_wavs_of_every_width_are_read(kind: int, bits: int, tolerance: float) -> None:
    got = read(wav(encoded(kind, bits), kind, bits))
    assert len(got) == len(TONE)
    assert np.abs(got - TONE).max() < tolerance
    assert np.abs(got[1:] - TONE[:-1]).max() > 5 * tolerance


def test_channels_are_averaged() -> None:
    both = np.stack([TONE, np.zeros_like(TONE)], axis=1).astype("<f4").tobytes()
    assert np.abs(read(wav(both, 3, 32, channels=2)) - TONE / 2).max() < 1e-7


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_that_does_not_know_its_length_goes_on_to_the_end(size: int) -> None:
    assert len(read(wav(encoded(1, 16), size=size))) == len(TONE)


def test_what_follows_the_samples_is_not_sound() -> None:
    assert len(read(wav(encoded(1, 16)) + b"LIST\x04\0\0\0abcd")) == len(TONE)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"RIFF\0\0\0\0AVI ", "begin as a WAV"),
        (wav(b"", kind=2, bits=4), "PCM or float"),
        (wav(b"", rate=1000), "8000..=192000"),
        (wav(b"", channels=9), "1 to 8 channels"),
        (wav(b"")[:20], "before its samples|what its samples are"),
    ],
)
def test_other_sounds_are_refused(data: bytes, match: str) -> None:
    with pytest.raises(SourceError, match=match) as caught:
        WavStream(io.BytesIO(data))
    assert caught.value.code == "source_no_sound"


ECHO = """
import sys
text = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()
sys.stdout.buffer.write(len(text.encode()).to_bytes(2, "little") * 2400)
"""


@pytest.mark.parametrize("by", [" {text}", ""])
def test_the_text_goes_by_argument_or_standard_input(tmp_path: Path, by: str) -> None:
    text = 'quote " and {out}; $HOME é'
    with open_source(program(tmp_path, ECHO) + by) as source:
        samples = np.concatenate(list(source.speak(text)))
    assert len(samples) == 2400
    assert samples[0] * 32768 == len(text.encode())


def test_a_file_is_read_where_the_command_writes_one(tmp_path: Path) -> None:
    (tmp_path / "tone.wav").write_bytes(wav(encoded(1, 16)))
    with CommandSource(f"cp {tmp_path}/tone.wav {{out}}") as source:
        samples = np.concatenate(list(source.speak("One.")))
    expected = np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000) * 0.5
    inside = slice(1000, 23_000)
    assert len(samples) == 24_000
    # Resampled to the source's rate and in time: a sample off would be 0.06.
    assert np.abs(samples[inside] - expected[inside]).max() < 2e-3
    assert np.abs(samples[inside] - np.roll(expected, 1)[inside]).max() > 0.05


def test_sound_is_handed_on_before_the_program_ends(tmp_path: Path) -> None:
    slow = (
        "import sys, time\nsys.stdout.buffer.write(bytes(9600)); sys.stdout.flush(); time.sleep(60)"
    )
    source = open_source(program(tmp_path, slow))
    started = time.monotonic()
    next(source.speak("One."))
    source.close()
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("command", "code", "match"),
    [
        ("ls /there/is/no/such/folder", "source_crashed", "must end with 0, got 2: .*such/folder"),
        ("ls /there/is/no/such/folder {out}", "source_crashed", "got 2"),
        ("there-is-no-such-program", "source_missing", "there-is-no-such-program must be there"),
        ("true", "source_no_sound", "true gave no sound"),
        ("true {out}", "source_no_sound", "wrote no file"),
        ("echo no such voice", "source_no_sound", r"must give a WAV, .*got b'no such voice\\n'"),
        ("printf fLaC-and-more", "source_no_sound", "must give a WAV"),
    ],
)
def test_a_failing_command_says_why(command: str, code: str, match: str) -> None:
    with CommandSource(command) as source, pytest.raises(SourceError, match=match) as caught:
        list(source.speak("One."))
    assert caught.value.code == code


def test_a_failure_after_some_sound_is_told(tmp_path: Path) -> None:
    text = (
        "import sys\nsys.stdout.buffer.write(bytes(4800)); sys.stdout.flush(); sys.exit('no more')"
    )
    with open_source(program(tmp_path, text)) as source:
        speech = source.speak("One.")
        next(speech)
        with pytest.raises(SourceError, match="no more"):
            list(speech)


@pytest.mark.parametrize("command", ["", "   ", "say 'open", "say --voice {voice}"])
def test_a_command_that_cannot_be_meant_is_refused(command: str) -> None:
    with pytest.raises(SettingError) as caught:
        open_source(f"command:{command}")
    assert caught.value.code == "bad_command"


def test_a_text_that_is_no_utf_8_holds_no_program_up(tmp_path: Path) -> None:
    program = tmp_path / "reads.py"
    program.write_text(
        "import sys; text = sys.stdin.buffer.read(); assert text == b'a ? b'; "
        "sys.stdout.buffer.write(b'\\1\\0' * 100)"
    )
    with CommandSource(shlex.join([sys.executable, str(program)])) as source:
        assert sum(map(len, source.speak("a \udcff b"))) == 100
