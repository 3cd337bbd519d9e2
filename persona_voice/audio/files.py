"""Sound files: read in blocks of mono float32, written whole or not at all."""

import contextlib
import os
import secrets
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile

from persona_voice.errors import AudioFileError
from persona_voice.units import MAX_CHANNELS, MAX_RATE, MIN_RATE

Samples = npt.NDArray[np.float32]

BLOCK_SECONDS = 1.0
# The others that libsndfile writes change the rate or the length, or need to be told more.
WRITTEN = ("wav", "flac", "ogg", "mp3", "aiff", "au", "caf", "w64", "rf64")


class SoundReader:
    """A sound file as mono blocks; channels are averaged. A context manager.

    Raises
    ------
    AudioFileError
        ``no_file``, ``cannot_read``, ``not_audio``, ``empty_file``, ``rate_out_of_range``,
        ``too_many_channels``, and while reading ``non_finite`` or ``damaged_file``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _refuse_unreadable(path)
        try:
            self._file = soundfile.SoundFile(_for_libsndfile(path))
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
            message = (
                f"{self.path}: the sample rate must lie in {MIN_RATE}..={MAX_RATE} Hz, got {rate}"
            )
            raise AudioFileError(message, code="rate_out_of_range")
        if channels > MAX_CHANNELS:
            message = f"{self.path} must have at most {MAX_CHANNELS} channels, got {channels}"
            raise AudioFileError(message, code="too_many_channels")
        if self._file.frames == 0:
            message = f"{self.path} must hold at least one sample, got none"
            raise AudioFileError(message, code="empty_file")

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
            if not (finite := np.isfinite(block).all(axis=1)).all():
                at = (done + int(np.argmin(finite))) / self.sample_rate
                message = (
                    f"{self.path} must hold finite samples only, got NaN or infinity at {at:.3f} s"
                )
                raise AudioFileError(message, code="non_finite", seconds=at)
            done += len(block)
            # In float64, since the sum of two of the largest float32 is not one.
            yield block.mean(axis=1, dtype=np.float64).astype(np.float32)


def _refuse_unreadable(path: Path) -> None:
    """What libsndfile calls a system error, by its name."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioFileError(f"no file {path}", code="no_file") from error
    except OSError as error:
        message = f"{path} cannot be read: {_reason(error)}"
        raise AudioFileError(message, code="cannot_read") from error
    if stat.S_ISDIR(mode):
        raise AudioFileError(f"{path} must be a sound file, got a folder", code="not_audio")
    if not os.access(path, os.R_OK):
        raise AudioFileError(f"{path} cannot be read: Permission denied", code="cannot_read")


class SoundWriter:
    """A sound file that appears under its name only when it is whole. A context manager.

    The format follows the name's ending, one of `WRITTEN`. Until the end the sound lies in a file
    beside it, which goes when anything fails. `num_samples`, if known, is how many will come: more
    than the format holds are refused at once.

    Raises
    ------
    AudioFileError
        ``unknown_format``, ``cannot_write``; the old file of that name, if any, is as it was.
    """

    def __init__(self, path: Path, sample_rate: int, num_samples: int = 0) -> None:
        self.path, self._written = path, 0
        kind = _format(path)
        # Short enough for any name, and not that of another thread that writes the same file.
        self._part = path.with_name(f".{path.name[:50]}.{os.getpid()}-{secrets.token_hex(4)}.part")
        # However this ends: an interrupt may come before whoever made us could keep us.
        self._remove_part = weakref.finalize(self, _unlink, self._part)
        self._end = 2**31 if kind in {"WAV", "AIFF"} else None
        self._check_size(num_samples)
        try:
            if path.is_dir():
                raise self._failure("it is a folder")
            if not path.parent.exists():
                raise self._failure(f"there is no folder {path.parent}")
            # Made here, since libsndfile does not say why it cannot.
            os.close(os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            name = _for_libsndfile(self._part)
            self._file = soundfile.SoundFile(name, "w", sample_rate, 1, format=kind)
        except AudioFileError:
            raise
        except (soundfile.LibsndfileError, OSError, ValueError) as error:
            self._remove_part()
            raise self._failure(_reason(error)) from error

    def _failure(self, reason: str) -> AudioFileError:
        return AudioFileError(f"{self.path} cannot be written: {reason}", code="cannot_write")

    def _check_size(self, num_samples: int) -> None:
        if self._end is not None and 2 * num_samples >= self._end:
            raise self._failure("a wav file holds 2 GB; a name ending in .flac has no such limit")

    def write(self, block: Samples) -> None:
        """Appends mono float32 samples."""
        self._written += len(block)
        self._check_size(self._written)
        try:
            self._file.write(np.clip(block, -1.0, 1.0))
        except (soundfile.LibsndfileError, OSError, AssertionError) as error:
            raise self._failure(self._why_short(error)) from error

    def _why_short(self, error: Exception) -> str:
        """libsndfile says no more than that a write came up short; the disk can say why."""
        if not isinstance(error, AssertionError) and _reason(error) != "System error":
            return _reason(error)
        free = os.statvfs(self._part.parent)
        if free.f_bavail * free.f_frsize < 2**20:
            return "the disk is full"
        return "no room for more: a full disk, or a limit on the size of files"

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
        except AudioFileError:
            raise
        except (soundfile.LibsndfileError, OSError) as failure:
            if kind is None:  # or else what went wrong first is what is told
                raise self._failure(_reason(failure)) from failure
        finally:
            self._remove_part()

    def _finish(self) -> None:
        """Renames the part, once it is on the disk in full: a full disk may show only now."""
        with self._part.open("r+b") as file:
            os.fsync(file.fileno())
        # Lossy formats pad; none may be shorter.
        if soundfile.info(_for_libsndfile(self._part)).frames < self._written:
            raise self._failure("the disk is full")
        self._part.replace(self.path)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _format(path: Path) -> str:
    """libsndfile's name for what the file's ending asks for."""
    ending = path.suffix.lstrip(".").lower()
    kind = {"oga": "ogg", "aif": "aiff"}.get(ending, ending)
    # An old libsndfile writes no mp3.
    known = [name for name in WRITTEN if name.upper() in soundfile.available_formats()]
    if kind not in known:
        got = f".{ending}" if ending else "none"
        message = f"{path} must end in a format that is written ({', '.join(known)}), got {got}"
        raise AudioFileError(message, code="unknown_format")
    return kind.upper()


def _for_libsndfile(path: Path) -> str | bytes:
    """Names of files are bytes where the system says so: not every one is UTF-8."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def _reason(error: Exception) -> str:
    """The first sentence of a complaint, in one line."""
    text = (
        getattr(error, "error_string", None)
        or getattr(error, "strerror", None)
        or str(error)
        or type(error).__name__
    )
    return text.splitlines()[0].removeprefix("Error : ").strip().rstrip(".")
