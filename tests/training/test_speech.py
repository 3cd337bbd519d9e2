"""Speech of a game's archive."""

import io
import struct
from pathlib import Path

import numpy as np
import soundfile

from training.speech import amazon_queen, dialogue
from training.synthesis import RATE


def mp3(hz: float) -> bytes:
    out = io.BytesIO()
    tone = 0.3 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000)
    soundfile.write(out, tone, 16_000, format="MP3")
    return out.getvalue()


def archive(folder: Path, files: dict[str, bytes]) -> None:
    start, table = 15 + 21 * len(files), b""
    for name, content in files.items():
        table += struct.pack(">12sBII", name.encode(), 1, start, len(content))
        start += len(content)
    head = b"QTBLCEM10" + bytes(3) + b"\x01" + struct.pack(">H", len(files))
    (folder / "queen.1c").write_bytes(head + table + b"".join(files.values()))


def test_lines_of_dialogue_are_read_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "020001P2.SB": mp3(440), "JOE00001.SB": mp3(880), "020006J1.SB": mp3(660), "C13J_012.SB": mp3(550),
        "1001SSSS.SB": mp3(300), "030001P1.SB": b"no sound", "X.PCX": b"?",
    }  # fmt: skip
    archive(tmp_path, files)
    lines = list(amazon_queen(tmp_path))
    assert [name for name, _ in lines] == list(files)[:4]
    for (_, samples), hz in zip(lines, (440, 880, 660, 550), strict=True):
        assert abs(len(samples) - RATE) < 0.1 * RATE
        power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        assert abs(np.argmax(power) * RATE / len(samples) - hz) < 5


def test_a_line_that_is_there_twice_is_taken_once(tmp_path: Path) -> None:
    same, other = mp3(440), mp3(660)
    archive(tmp_path, {"020001P2.SB": same, "020002P2.SB": same, "JOE00001.SB": other})
    assert {speaker: len(lines) for speaker, lines in dialogue(tmp_path).items()} == {
        "others": 1,
        "joe": 1,
    }
