"""Sound files: read in blocks of mono float32, written whole or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile

from persona_voice.errors import AudioFileError

Samples = npt.NDArray[np.float32]

MIN_RATE, MAX_RATE = 8_000, 192_000
MAX_CHANNELS = 8
BLOCK_SECONDS = 1.0


class SoundReader:
    """A sound file as mono blocks; channels are averaged. A context manager.

    Raises
    ------
    AudioFileError
        ``no_file``, ``not_audio``, ``empty_file``, ``rate_out_of_range``, ``too_many_channels``, and
        while reading ``non_finite`` or ``damaged_file``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise AudioFileError(f"no file {path}", code="no_file")
        try:
            self._file = soundfile.SoundFile(str(path))
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            message = f"{path} must be a sound file that libsndfile reads: {_reason(error)}"
            raise AudioFileError(message, code="not_audio") from error
        try:
            self._check()
        except AudioFileError:
            self._file.close()
            raise
        self.sample_rate: int = self._file.samplerate
        self.num_samples: int = self._file.frames

    def _check(self) -> None:
        rate, channels = self._file.samplerate, self._file.channels
        if not MIN_RATE <= rate <= MAX_RATE:
            message = f"{self.path}: the sample rate must lie in {MIN_RATE}..={MAX_RATE} Hz, got {rate}"
            raise AudioFileError(message, code="rate_out_of_range")
        if channels > MAX_CHANNELS:
            message = f"{self.path} must have at most {MAX_CHANNELS} channels, got {channels}"
            raise AudioFileError(message, code="too_many_channels")
        if self._file.frames == 0:
            raise AudioFileError(f"{self.path} must hold at least one sample, got none", code="empty_file")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def blocks(self, seconds: float = BLOCK_SECONDS) -> Iterator[Samples]:
        """Mono float32 blocks ``[samples]`` of that length, the last one shorter."""
        length = max(1, round(seconds * self.sample_rate))
        done = 0
        while True:
            try:
                block = self._file.read(length, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                message = f"{self.path} must be readable to its end: {_reason(error)}"
                raise AudioFileError(message, code="damaged_file") from error
            if not len(block):
                return
            mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
            if not (finite := np.isfinite(mono)).all():
                at = (done + int(np.argmin(finite))) / self.sample_rate
                message = f"{self.path} must hold finite samples only, got NaN or infinity at {at:.3f} s"
                raise AudioFileError(message, code="non_finite", seconds=at)
            done += len(mono)
            yield mono


class SoundWriter:
    """A sound file that appears under its name only when it is whole. A context manager.

    The format follows the name's ending (wav, flac, ogg, mp3, aiff, …). Until the end the sound lies
    in a file beside it, which goes when anything fails.

    Raises
    ------
    AudioFileError
        ``unknown_format``, ``cannot_write``; the old file of that name, if any, is as it was.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.path, self._written = path, 0
        ending = path.suffix.lstrip(".").upper()
        kind = {"OGA": "OGG", "AIF": "AIFF"}.get(ending, ending)
        if kind not in soundfile.available_formats():
            message = f"{path} must end in a format that libsndfile writes (wav, flac, ogg, mp3), got .{ending.lower()}"
            raise AudioFileError(message, code="unknown_format")
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._end = 2**31 if kind in {"WAV", "AIFF"} else None
        try:
            self._file = soundfile.SoundFile(str(self._part), "w", sample_rate, 1, format=kind)
        except (soundfile.LibsndfileError, OSError, ValueError) as error:
            self._part.unlink(missing_ok=True)
            raise self._failure(_reason(error)) from error

    def _failure(self, reason: str) -> AudioFileError:
        return AudioFileError(f"{self.path} cannot be written: {reason}", code="cannot_write")

    def write(self, block: Samples) -> None:
        """Appends mono float32 samples."""
        self._written += len(block)
        if self._end is not None and 2 * self._written >= self._end:
            raise self._failure("a wav file holds 2 GB; a name ending in .flac has no such limit")
        try:
            self._file.write(np.clip(block, -1.0, 1.0))
        except (soundfile.LibsndfileError, OSError, AssertionError) as error:
            raise self._failure(self._why_short(error)) from error

    def _why_short(self, error: Exception) -> str:
        """libsndfile says no more than that a write came up short; the disk can say why."""
        free = os.statvfs(self._part.parent)
        if free.f_bavail * free.f_frsize < 2**20:
            return "the disk is full"
        return _reason(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                self._finish()
        except (soundfile.LibsndfileError, OSError) as failure:
            raise self._failure(_reason(failure)) from failure
        finally:
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        """Renames the part, once it is on the disk in full: a full disk may show only now."""
        with self._part.open("rb") as file:
            os.fsync(file.fileno())
        # Lossy formats pad; none may be shorter.
        if soundfile.info(str(self._part)).frames < self._written:
            raise self._failure("the disk is full")
        self._part.replace(self.path)


def _reason(error: Exception) -> str:
    """The first sentence of a library's complaint, in one line."""
    text = getattr(error, "error_string", None) or str(error) or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".")
