"""What speaks underneath: text in, plain speech out, as it comes."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from persona_voice.errors import SettingError

Samples = npt.NDArray[np.float32]

KINDS = ("espeak", "kokoro", "kokoro:FOLDER", "command:CMD")


class Source(Protocol):
    """Speaks text; a context manager that lets go of its engine at the end.

    Raises
    ------
    SourceError
        From ``speak``: ``source_missing``, ``source_refused``, ``source_crashed``,
        ``source_no_sound``. The next call starts anew.
    """

    @property
    def sample_rate(self) -> int:
        """Of what ``speak`` gives, in Hz. Fixed for life."""

    def speak(self, text: str, rate: float = 1.0) -> Iterator[Samples]:
        """Mono float32 blocks ``[samples]``, each as soon as the engine has made it.

        `rate` times as fast as usual, by engines that can.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_source(spec: str = "espeak", voice: str | None = None) -> Source:
    """The source of that name.

    Parameters
    ----------
    spec : str
        ``espeak``; ``kokoro`` or ``kokoro:FOLDER`` with its model files; ``command:CMD``, any
        program (see `CommandSource`).
    voice : str, optional
        The engine's own name for a voice, such as ``en-us+f3`` or ``af_heart``. A command gets it
        where it says ``{voice}``.

    Raises
    ------
    SettingError
        ``unknown_source``, ``bad_command``.
    SourceError
        ``source_missing`` if what it needs is not there.
    """
    kind, _, rest = spec.partition(":")
    if kind == "espeak" and not rest:
        from persona_voice.sources.espeak import DEFAULT_VOICE, EspeakSource

        return EspeakSource(voice or DEFAULT_VOICE)
    if kind == "kokoro":
        from persona_voice.sources import kokoro

        folder = Path(rest) if rest else kokoro.default_folder()
        return kokoro.KokoroSource(folder, voice or kokoro.DEFAULT_VOICE)
    if kind == "command":
        from persona_voice.sources.command import CommandSource

        return CommandSource(rest, voice=voice)
    message = f"source must be one of {', '.join(KINDS)}, got {spec!r}"
    raise SettingError(message, code="unknown_source")
