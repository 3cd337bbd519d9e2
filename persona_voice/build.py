"""From names and settings to a running path; the one place that joins the parts."""

from importlib.resources import files
from pathlib import Path

from persona_voice.errors import SettingError
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import Persona, load_persona

MODES = ("live", "studio")


def weights_folder() -> Path:
    return Path(str(files("persona_voice"))) / "assets" / "weights"


def open_stream(
    persona: Persona | str = "samantha",
    sample_rate: int = 48_000,
    mode: str = "live",
    *,
    weights: Path | None = None,
) -> VoiceStream:
    """A stream that turns any speech into the persona's.

    Parameters
    ----------
    persona : Persona or str
        As from `load_persona`, or a name for it.
    sample_rate : int
        Of both ends, in Hz.
    mode : str
        ``live``, or ``studio`` for more look-ahead.
    weights : Path, optional
        A weights file instead of the persona's own.

    Raises
    ------
    SettingError
        ``unknown_mode``, ``out_of_range``.
    PersonaFileError, WeightsError
    """
    from persona_voice.model.torch_converter import load_converter

    if mode not in MODES:
        raise SettingError(f"mode must be one of {', '.join(MODES)}, got {mode!r}", code="unknown_mode")
    if isinstance(persona, str):
        persona = load_persona(persona)
    converter = load_converter(weights or weights_folder() / persona.weights, mode)
    return VoiceStream(converter, persona, sample_rate)
