"""espeak-ng as a source: the embedded default, behind a pipe to its own process."""

import contextlib
import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Self

import numpy as np

from persona_voice.errors import SourceError
from persona_voice.sources.source import Samples

DEFAULT_VOICE = "en-us"
DEFAULT_RATE_WPM = 165
# Seconds for a process that was asked to end to do so.
END_SECONDS = 2.0
WORKER = (sys.executable, "-m", "persona_voice.sources.espeak_worker")


class EspeakWorker:
    """The process and its protocol (see `espeak_worker`); starts when asked, anew after a crash."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._sample_rate = 0
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`

    def start(self) -> int:
        """Starts the process unless it runs; the engine's sample rate in Hz."""
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._complaints.seek(0)
            self._complaints.truncate()
            self._process = subprocess.Popen(
                WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints
            )
            self._sample_rate = int(struct.unpack("<I", self._frame()[1])[0])
        return self._sample_rate

    def ask(self, **request: object) -> Iterator[bytes]:
        """The bodies of the answer's frames, as they come."""
        self.start()
        done = False
        try:
            self._send(json.dumps(request).encode() + b"\n")
            while True:
                tag, body = self._frame()
                if tag in b"EX":
                    done = True
                    break
                yield body
        finally:
            # An answer that nobody reads to its end would be taken for the next one.
            if not done:
                self.stop()
        if tag == b"X":
            raise SourceError(body.decode(errors="replace"), code="source_refused")

    def stop(self) -> None:
        """Ends the process; the next request starts another."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not sent any more
                    pipe.close()
        process.wait(END_SECONDS)

    def close(self) -> None:
        self.stop()
        self._complaints.close()

    def _send(self, line: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            raise self._crash()
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError as error:
            raise self._crash() from error

    def _frame(self) -> tuple[bytes, bytes]:
        head = self._read(5)
        return head[:1], self._read(struct.unpack("<I", head[1:])[0])

    def _read(self, size: int) -> bytes:
        if self._process is None or self._process.stdout is None:
            raise self._crash()
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise self._crash()
        return data

    def _crash(self) -> SourceError:
        self.stop()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").split("\n")
        why = next((line.strip() for line in reversed(lines) if line.strip()), "no word why")
        return SourceError(f"espeak-ng's process ended unasked: {why}", code="source_crashed")


class EspeakSource:
    """espeak-ng, in the voice and at the pace that are given.

    Parameters
    ----------
    voice : str
        Language and variant, as ``en-us``, ``fr`` or ``en-us+f3``.
    rate_wpm : int
        Words a minute, 80 to 450.
    pitch : int
        0 to 99; the persona's own range replaces it mostly.
    """

    def __init__(
        self, voice: str = DEFAULT_VOICE, rate_wpm: int = DEFAULT_RATE_WPM, pitch: int = 50
    ) -> None:
        self._rate_wpm = rate_wpm
        self._settings = {"voice": voice, "pitch": pitch}
        self._worker = EspeakWorker()
        try:
            self.sample_rate = self._worker.start()
        except SourceError:
            self._worker.close()
            raise

    def speak(self, text: str, rate: float = 1.0) -> Iterator[Samples]:
        wpm = min(450, max(80, round(self._rate_wpm * rate)))
        for body in self._worker.ask(op="synth", text=text, rate_wpm=wpm, **self._settings):
            yield np.frombuffer(body, "<i2").astype(np.float32) / np.float32(32768)

    def close(self) -> None:
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
