"""A persona: who is spoken as. A value, read from a TOML file."""

import tomllib
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path

from persona_voice.errors import PersonaFileError
from persona_voice.persona.folder import data_folder
from persona_voice.persona.toml import toml_text
from persona_voice.persona.voice import Voice


@dataclass(frozen=True)
class Delivery:
    """How her pitch and level move, as against the speaker's; as born, no otherwise."""

    dynamics: float = 1.0
    """Deviations of her level from its mean, as a multiple of the speaker's: 0 to 2."""
    vibrato_semitones: float = 0.0
    """How far her F0 swings, 5.5 times a second, in sounds that last: 0 to 1."""
    jitter: float = 0.0
    """Standard deviation of her F0 from hop to hop, as a share of it: 0 to 0.05."""
    onset_db: float = 0.0
    """More level where a sound begins: -6 to 6."""


@dataclass(frozen=True)
class Persona:
    """Who is spoken as, and where the voice came from."""

    name: str
    weights: str
    """File name of the converter's weights: a whole path, or one among the package's."""
    register_hz: float
    """Geometric mean of her F0."""
    range: float
    """Her F0's deviations from it, as a multiple of the source's, in octaves."""
    provenance: str
    """Where the voice came from and by whose leave."""
    consent: str
    """Of the person who is imitated, or why none is needed."""
    delivery: Delivery = field(default_factory=Delivery)
    """The table ``[delivery]`` of her file, which may be missing, and each value in it."""
    voice: Voice = field(default_factory=Voice)
    """As against that of the weights."""


def personas_folder() -> Path:
    return Path(str(files("persona_voice"))) / "assets" / "personas"


def users_personas_folder() -> Path:
    """Of those whom this user has enrolled; it may not be there yet."""
    return data_folder() / "personas"


def persona_names() -> list[str]:
    """Of this installation, and of this user."""
    return sorted(_files())


def _files() -> dict[str, Path]:
    """The files by name; nobody takes the name of one of the installation."""
    folders = (users_personas_folder(), personas_folder())
    found = [file for folder in folders for file in folder.glob("*/persona.toml")]
    return {file.parent.name: file for file in found if not file.parent.name.startswith(".")}


def load_persona(name: str = "samantha") -> Persona:
    """The persona of that name, upper or lower case.

    Raises
    ------
    PersonaFileError
        ``unknown_persona``; ``bad_persona_file`` if its file is not what it should be.
    """
    files = _files()
    if name.lower() not in files:
        message = f'no persona "{name}" in this installation; there are: {", ".join(sorted(files))}'
        raise PersonaFileError(message, code="unknown_persona", name=name)
    return read_persona(files[name.lower()])


def read_persona(file: Path) -> Persona:
    """Weights that lie beside the file are those that it names.

    Raises
    ------
    PersonaFileError
        ``bad_persona_file``.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        message = f"{file} must be a readable TOML file: {error}"
        raise PersonaFileError(message, code="bad_persona_file") from error
    delivery = values.pop("delivery", {})
    optional = ("delivery", "voice")
    wanted = {each.name: each.type for each in fields(Persona) if each.name not in optional}
    if set(values) != set(wanted):
        odd = sorted(set(values) ^ set(wanted))
        message = (
            f"{file} must hold exactly {', '.join(wanted)}; missing or unknown: {', '.join(odd)}"
        )
        raise PersonaFileError(message, code="bad_persona_file")
    for name, kind in wanted.items():
        if kind is float and isinstance(values[name], int):
            values[name] = float(values[name])
        if not isinstance(values[name], kind):  # type: ignore[arg-type]  # plain classes, see above
            message = f"{file}: {name} must be a {kind.__name__}, got {values[name]!r}"  # type: ignore[union-attr]
            raise PersonaFileError(message, code="bad_persona_file")
    beside = file.resolve().parent / values["weights"]
    if beside.is_file():
        values["weights"] = str(beside)
    return Persona(**values, delivery=_delivery(file, delivery))


def persona_text(persona: Persona) -> str:
    """A file that `read_persona` reads, of one who speaks as the weights and the speaker do."""
    optional = ("delivery", "voice")
    named = [each.name for each in fields(Persona) if each.name not in optional]
    return toml_text({name: getattr(persona, name) for name in named})


def _delivery(file: Path, values: object) -> Delivery:
    known = [each.name for each in fields(Delivery)]
    if isinstance(values, dict) and set(values) <= set(known):
        numbers = {n: float(v) for n, v in values.items() if type(v) in (int, float)}
        if len(numbers) == len(values):
            return Delivery(**numbers)
    message = (
        f"{file}: delivery must be a table of numbers among {', '.join(known)}, got {values!r}"
    )
    raise PersonaFileError(message, code="bad_persona_file")
