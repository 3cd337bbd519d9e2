"""WAV as it comes through a pipe: engines that stream do not know how long it will be."""

import struct
from collections.abc import Iterator
from typing import IO

import numpy as np

from persona_voice.errors import SourceError
from persona_voice.sources.source import Samples
from persona_voice.units import MAX_CHANNELS, MAX_RATE, MIN_RATE

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
# Sizes from here on are what writers put who cannot go back: until the pipe ends.
UNKNOWN_SIZE = 0x7FFFF000
BLOCK_SECONDS = 0.04


class WavStream:
    """Reads a header, then hands out mono blocks as the samples arrive.

    Parameters
    ----------
    pipe : IO[bytes]
        Unbuffered or not; it is read no further than the samples go.
    head : bytes
        What was read from it already.

    Raises
    ------
    SourceError
        ``source_no_sound`` for anything but PCM of 8 to 32 bits or float of 32 or 64.
    """

    def __init__(self, pipe: IO[bytes], head: bytes = b"") -> None:
        self._pipe, self._head = pipe, head
        riff = self._read(12)
        if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            raise _refusal(f"it must begin as a WAV, got {riff!r}")
        layout: bytes | None = None
        while True:
            chunk = self._read(8)
            if len(chunk) < 8:
                raise _refusal("it ended before its samples")
            name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            if name == b"data":
                break
            body = self._read(size + size % 2)
            if name == b"fmt ":
                layout = body
        if layout is None or len(layout) < 16:
            raise _refusal("it must say what its samples are before they come")
        self._left = size if 0 < size < UNKNOWN_SIZE else None
        self._take(layout)

    def _take(self, layout: bytes) -> None:
        kind, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", layout[:16])
        if kind == EXTENSIBLE and len(layout) >= 26:
            kind = struct.unpack("<H", layout[24:26])[0]
        known = (kind == PCM and bits in (8, 16, 24, 32)) or (kind == FLOAT and bits in (32, 64))
        if not known or frame_bytes != channels * bits // 8:
            raise _refusal(f"it must be PCM or float, got format {kind} of {bits} bits")
        if not 1 <= channels <= MAX_CHANNELS:
            raise _refusal(f"it must have 1 to {MAX_CHANNELS} channels, got {channels}")
        if not MIN_RATE <= rate <= MAX_RATE:
            raise _refusal(f"its sample rate must lie in {MIN_RATE}..={MAX_RATE} Hz, got {rate}")
        self.sample_rate = int(rate)
        self._kind, self._bits, self._channels, self._frame_bytes = (
            kind,
            bits,
            channels,
            frame_bytes,
        )

    def blocks(self) -> Iterator[Samples]:
        wanted = max(1, int(BLOCK_SECONDS * self.sample_rate)) * self._frame_bytes
        while True:
            size = wanted if self._left is None else min(wanted, self._left)
            data = self._read(size)
            if self._left is not None:
                self._left -= len(data)
            if whole := len(data) // self._frame_bytes * self._frame_bytes:
                yield self._mono(data[:whole])
            if len(data) < size or not size:
                return

    def _mono(self, data: bytes) -> Samples:
        if self._kind == FLOAT:
            values = np.frombuffer(data, f"<f{self._bits // 8}").astype(np.float32)
        elif self._bits == 8:
            values = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
        else:
            # The bytes of a sample become the upper ones of 32 bits.
            wide = np.zeros((len(data) * 8 // self._bits, 4), np.uint8)
            wide[:, 4 - self._bits // 8 :] = np.frombuffer(data, np.uint8).reshape(len(wide), -1)
            values = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
        return np.ascontiguousarray(
            values.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
        )

    def _read(self, size: int) -> bytes:
        data, self._head = self._head[:size], self._head[size:]
        while len(data) < size and (more := self._pipe.read(size - len(data))):
            data += more
        return data


def _refusal(reason: str) -> SourceError:
    return SourceError(f"the sound of the command cannot be read: {reason}", code="source_no_sound")
