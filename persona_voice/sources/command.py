"""Any program as a source: text in by its arguments or standard input, sound out."""

import shlex
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

import numpy as np

from persona_voice import _core
from persona_voice.errors import SettingError, SourceError
from persona_voice.sources.source import Samples
from persona_voice.sources.wav import WavStream

END_SECONDS = 2.0
RAW_BLOCK_SECONDS = 0.04
# How FLAC, Ogg and MP3 begin.
COMPRESSED = (b"fLaC", b"OggS", b"ID3")


class CommandSource:
    """A program that is run once for each text.

    Parameters
    ----------
    command : str
        Split as a shell would, but no shell runs. ``{text}`` is replaced by the text; without it
        the text goes to standard input. ``{out}`` is replaced by the name of a WAV that the
        program is to write; without it the sound comes from standard output, a WAV or raw 16-bit
        mono. ``{voice}`` is replaced by the voice.
    sample_rate : int
        Of what ``speak`` gives, in Hz, and of raw sound; a WAV of another rate is resampled to it.
    """

    def __init__(
        self, command: str, *, voice: str | None = None, sample_rate: int = _core.RATE
    ) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            message = f"command must be words as in a shell, got {command!r} ({error})"
            raise SettingError(message, code="bad_command") from error
        if not self._words:
            raise SettingError("command must name a program, got nothing", code="bad_command")
        if "{voice}" in command and voice is None:
            message = f"command asks for a voice and none is given: {command!r}"
            raise SettingError(message, code="bad_command")
        self._voice, self.sample_rate = voice or "", sample_rate
        self._process: subprocess.Popen[bytes] | None = None

    def speak(self, text: str, rate: float = 1.0) -> Iterator[Samples]:
        """As fast as the program speaks: `rate` does not reach it."""
        with tempfile.TemporaryDirectory(prefix="persona-voice-") as folder:
            out = Path(folder) / "out.wav"
            given = {"{text}": text, "{out}": str(out), "{voice}": self._voice}
            words = [_filled(word, given) for word in self._words]
            to_file, by_pipe = self._asks("{out}"), not self._asks("{text}")
            with tempfile.TemporaryFile() as complaints:
                process = self._process = _started(words, by_pipe, complaints)
                try:
                    yield from self._sound(
                        process, text if by_pipe else None, out if to_file else None
                    )
                    if (code := process.wait()) != 0:
                        raise _failure(self._words[0], code, complaints)
                except SourceError as error:
                    # Why a program failed says more than that it gave no sound.
                    if error.code == "source_no_sound" and (code := _exit_code(process)) != 0:
                        raise _failure(self._words[0], code, complaints) from error
                    raise
                finally:
                    _end(process)

    def _asks(self, mark: str) -> bool:
        return any(mark in word for word in self._words)

    def _sound(
        self, process: subprocess.Popen[bytes], text: str | None, out: Path | None
    ) -> Iterator[Samples]:
        if text is not None and process.stdin is not None:
            # By its side: a program may speak before it has read all.
            threading.Thread(target=_feed, args=(process.stdin, text), daemon=True).start()
        pipe = process.stdout
        if pipe is None:
            return
        if out is None:
            yield from self._read(pipe)
            return
        while pipe.read(4096):  # progress and chatter
            pass
        if process.wait() == 0:
            if not out.exists():
                raise SourceError(f"{self._words[0]} wrote no file {{out}}", code="source_no_sound")
            with out.open("rb") as file:
                yield from self._read(file)

    def _read(self, pipe: IO[bytes]) -> Iterator[Samples]:
        head = pipe.read(4)
        if head == b"RIFF":
            wav = WavStream(pipe, head)
            yield from resampled(wav.blocks(), wav.sample_rate, self.sample_rate)
            return
        size = 2 * max(1, int(RAW_BLOCK_SECONDS * self.sample_rate))
        head += pipe.read(size) if head else b""
        if not head:
            raise SourceError(f"{self._words[0]} gave no sound", code="source_no_sound")
        if head.startswith(COMPRESSED) or _is_text(head):
            message = (
                f"{self._words[0]} must give a WAV, or raw samples of 16 bits, got {head[:24]!r}"
            )
            raise SourceError(message, code="source_no_sound")
        while head:
            whole = len(head) // 2 * 2
            yield np.frombuffer(head[:whole], "<i2").astype(np.float32) / np.float32(32768)
            head = head[whole:] + (more := pipe.read(size))
            if not more:
                return

    def close(self) -> None:
        if self._process is not None:
            _end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _is_text(data: bytes) -> bool:
    """Nothing but printable ASCII and white space, as hardly a sound is, and not even silence."""
    return all(32 <= byte < 127 or byte in b"\t\n\r" for byte in data)


def resampled(blocks: Iterator[Samples], rate: int, wanted: int) -> Iterator[Samples]:
    """At the wanted rate, without the resampler's latency at the start."""
    resampler = _core.Resampler(rate, wanted)
    skip = resampler.latency
    for block in blocks:
        out = resampler.process(block)
        yield out[skip:]
        skip -= min(skip, len(out))
    yield resampler.flush()[skip:]


def _filled(word: str, given: dict[str, str]) -> str:
    """The marks replaced in one pass, so that a text which holds one stays as it is."""
    for mark, value in given.items():
        if mark in word:
            before, _, after = word.partition(mark)
            return _filled(before, given) + value + _filled(after, given)
    return word


def _started(words: list[str], by_pipe: bool, complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE if by_pipe else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"the program {words[0]} must be there and run: {reason}"
        raise SourceError(message, code="source_missing") from error


def _feed(pipe: IO[bytes], text: str) -> None:
    try:
        pipe.write(text.encode(errors="replace"))  # a program that is not fed would wait for ever
        pipe.close()
    except OSError:  # it read what it wanted and went
        return


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Of a program that has nothing more to say; 0 if it goes on all the same."""
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait(END_SECONDS)
    if process.stdout is not None:
        process.stdout.close()


def _failure(name: str, code: int, complaints: IO[bytes]) -> SourceError:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").splitlines()
    why = next((line.strip() for line in reversed(lines) if line.strip()), "no word why")
    return SourceError(
        f"{name} must end with 0, got {code}: {why}", code="source_crashed", exit_code=code
    )
