"""One signed file that holds all that happened to a persona: the `.persona` file.

Lines of JSON in UTF-8: first what it is, of whom, and the public key of who signed it; then each
event; last how many these are, and the signature. That is Ed25519 over the name of the format, a
NUL, and the SHA-512 of every byte before the last line. A checksum would only show accidents, and
an HMAC could be made by whoever can check it.

The private key is this user's, made at the first export as ``signing.key`` in the platform's data
folder, beside the default store: PEM, readable by its user alone, and to be backed up like one,
since another key is another signer. Anybody can sign with a key of their own: that a file is whole
says who signed it, not that it is someone to trust. Whoever knows the right signer demands it.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from persona_voice.errors import PersonaFileError, PersonaVoiceError
from persona_voice.persona.event import Event
from persona_voice.persona.folder import data_folder
from persona_voice.persona.record import event_in, event_text
from persona_voice.persona.store import Store

FORMAT = "persona-voice persona 1"
# Far more than an event takes; a file that is something else may be one endless line.
LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class Signed:
    """What a persona file says of itself, and its signature bears out."""

    persona: str
    provenance: str
    """Where the voice came from and by whose leave, as the signer knew it."""
    signer: str
    """Their public key, in hexadecimal."""
    num_events: int
    digest: bytes
    """SHA-512 of what was signed."""


def key_file() -> Path:
    return data_folder() / "signing.key"


def export_persona(
    kept: Store, persona: str, path: Path, *, provenance: str = "", key: Path | None = None
) -> Signed:
    """Writes all events of the persona; the file appears under its name only when it is whole.

    Raises
    ------
    PersonaFileError
        ``cannot_write``, ``bad_key``.
    """
    private = signing_key(key or key_file())
    signer = private.public_key().public_bytes_raw().hex()
    head = {"format": FORMAT, "persona": persona, "provenance": provenance, "signer": signer}
    digest, num_events = hashlib.sha512(), 0
    with _whole(path) as file:
        digest.update(_put(file, json.dumps(head)))
        for event in kept.events(persona):
            digest.update(_put(file, event_text(event)))
            num_events += 1
        signature = private.sign(_message(digest.digest()))
        file.write(_last_line(num_events, signature))
    return Signed(persona, provenance, signer, num_events, digest.digest())


def import_persona(kept: Store, path: Path, *, signer: str = "") -> tuple[Signed, int]:
    """Takes in the events of the file, all or none; what it holds, and how many were new.

    Raises
    ------
    PersonaFileError
        ``cannot_read``, ``persona_file_format``, ``persona_file_tampered``, and
        ``unknown_signer`` if it is signed by somebody else than `signer`.
    StoreError
        ``event_conflict``, ``already_born``, as `Store.append` does.
    """
    signed = check_persona(path)
    if signer and signer.lower() != signed.signer:
        message = f"{path} must be signed by {signer}, got {signed.signer}"
        raise PersonaFileError(message, code="unknown_signer", signer=signed.signer)
    return signed, kept.append(_events(path, signed))


def check_persona(path: Path) -> Signed:
    """What the file holds, if it is as its signer left it."""
    lines = _lines(path)
    first = next(lines, b"")
    head = _object(first)
    if head.get("format") != FORMAT:
        got = head.get("format", "something else")
        message = f'{path} must be a persona file of the format "{FORMAT}", got {got}'
        raise PersonaFileError(message, code="persona_file_format")
    digest, num_lines, last = hashlib.sha512(), 0, first
    for line in lines:
        digest.update(last)
        last, num_lines = line, num_lines + 1
    tail = _object(last)
    try:
        signature, public = bytes.fromhex(tail["signature"]), bytes.fromhex(head["signer"])
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, _message(digest.digest()))
        persona, provenance = str(head["persona"]), str(head["provenance"])
    except (InvalidSignature, KeyError, TypeError, ValueError) as error:
        raise _tampered(path, "the signature does not fit what it holds") from error
    if last != _last_line(num_lines - 1, signature):
        raise _tampered(path, "the last line is not as the signature ends it")
    return Signed(persona, provenance, public.hex(), num_lines - 1, digest.digest())


def _events(path: Path, signed: Signed) -> Iterator[Event]:
    """Those that were signed, even if the file is changed between the check and now."""
    digest = hashlib.sha512()
    for number, line in enumerate(_lines(path)):
        if number == signed.num_events + 1:
            break
        digest.update(line)
        if number:
            yield _event(path, line, signed.persona)
    if digest.digest() != signed.digest:
        raise _tampered(path, "it was changed while it was read")


def _event(path: Path, line: bytes, persona: str) -> Event:
    try:
        event = event_in(line.decode())
    except ValueError as error:
        message = f"{path} must hold events that this program knows, got {line!r}"
        raise PersonaFileError(message, code="persona_file_format") from error
    if event.persona != persona:
        raise _tampered(path, f"it is {persona}'s, and holds an event of {event.persona}")
    return event


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key in that file, which is made if it is not there."""
    if not path.exists():
        _make_key(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, Ed25519PrivateKey):
            return key
        reason = "it is of another kind"
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = str(error)
    message = (
        f"{path} must hold an Ed25519 key in PEM without a password: {reason}; put it back from a "
        "backup, or move it away to sign as somebody new"
    )
    raise PersonaFileError(message, code="bad_key")


def _make_key(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with contextlib.suppress(FileExistsError):  # another process made one meanwhile
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _whole(path, replace=False) as file:
            file.write(pem)


@contextlib.contextmanager
def _whole(path: Path, *, replace: bool = True) -> Iterator[IO[bytes]]:
    """A file of its user's alone, that gets its name when all of it is on the disk."""
    part = path.with_name(f".{path.name[:50]}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        number = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            path.hardlink_to(part)
    except (PersonaVoiceError, FileExistsError):
        raise
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise PersonaFileError(message, code="cannot_write") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _put(file: IO[bytes], text: str) -> bytes:
    line = f"{text}\n".encode()
    file.write(line)
    return line


def _last_line(num_events: int, signature: bytes) -> bytes:
    """Not signed itself: there is one way to write it, so that no byte of a file can change."""
    last = {"num_events": num_events, "signature": signature.hex()}
    return f"{json.dumps(last)}\n".encode()


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES):
                if not line.endswith(b"\n"):
                    raise _tampered(path, "a line is cut short, or far too long")
                yield line
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise PersonaFileError(message, code="cannot_read") from error


def _object(line: bytes) -> dict[str, str]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    return {}


def _message(digest: bytes) -> bytes:
    return FORMAT.encode() + b"\0" + digest


def _tampered(path: Path, how: str) -> PersonaFileError:
    message = (
        f"{path} must be as its signer left it: {how}; nothing was taken in, get it from them again"
    )
    return PersonaFileError(message, code="persona_file_tampered")
