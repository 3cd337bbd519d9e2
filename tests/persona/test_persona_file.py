"""The `.persona` file: whole and signed, or refused."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from persona_voice.errors import PersonaFileError, StoreError
from persona_voice.persona import persona_file
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.persona_file import check_persona, export_persona, import_persona
from persona_voice.persona.store import Store

TOLD = (("arousal", 0.25), ("seconds", 30.0), ("valence", 0.5))
EVENTS = [
    Event("0", "samantha", 1.5, Kind.BORN, values=(("seed", 7.0),)),
    Event("1", "samantha", 1e9 + 0.1, Kind.CONVERSATION, "Zoë\n", TOLD),
    Event("2", "samantha", 2e9, Kind.NAMED, values=(("name", "☃"),)),
]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "here.db") as store:
        store.append([*EVENTS, Event("3", "marek", 1.0, Kind.BORN, values=(("seed", 1.0),))])
        yield store


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "there.db") as store:
        yield store


@pytest.fixture
def file(tmp_path: Path, kept: Store) -> Path:
    export_persona(kept, "samantha", tmp_path / "a.persona", key=tmp_path / "key")
    return tmp_path / "a.persona"


def test_what_is_exported_is_imported(tmp_path: Path, kept: Store, there: Store) -> None:
    path, key = tmp_path / "a.persona", tmp_path / "key"
    signed = export_persona(kept, "samantha", path, provenance="drawn", key=key)
    assert (signed.persona, signed.num_events, signed.provenance) == ("samantha", 3, "drawn")
    assert import_persona(there, path, signer=signed.signer.upper()) == (signed, 3)
    assert import_persona(there, path) == (signed, 0)
    assert list(there.events("samantha")) == EVENTS
    assert there.personas() == ["samantha"]
    assert {file.stat().st_mode & 0o777 for file in (path, key)} == {0o600}
    assert not list(tmp_path.glob("*.part"))


def test_the_key_is_made_once(tmp_path: Path, kept: Store) -> None:
    signed = [
        export_persona(kept, "marek", tmp_path / name, key=tmp_path / "new" / "key").signer
        for name in ("a", "b")
    ]
    assert signed[0] == signed[1]


def test_the_default_key_lies_beside_the_default_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Store
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    export_persona(kept, "marek", tmp_path / "a")
    assert (tmp_path / "data" / "persona-voice" / "signing.key").exists()


def test_no_byte_can_be_changed_and_no_line_lost(file: Path, there: Store) -> None:
    """Every bit of every byte in turn would take long: one bit of each."""
    content = file.read_bytes()
    lines = content.splitlines(keepends=True)
    changed = [
        content[:i] + bytes([byte ^ (1 << i % 7)]) + content[i + 1 :]
        for i, byte in enumerate(content)
    ]
    changed += [b"".join(lines[:i] + lines[i + 1 :]) for i in range(len(lines))]
    changed += [b"".join([*lines[:2], *lines[1:]]), content + b"\n", content + lines[1]]
    changed += [content.replace(lines[-1], lines[-1].upper()), content.replace(b": ", b":")]
    changed += [content[:-1], content[: len(content) // 2], b"", bytes(10), b"{}\n", b"[" * 10**5]
    survived = []
    for one in changed:
        file.write_bytes(one)
        try:
            import_persona(there, file)
        except PersonaFileError as error:
            assert error.code in {"persona_file_tampered", "persona_file_format"}  # noqa: PT017
        else:
            survived.append(one)
    assert survived == []
    assert there.personas() == []


def test_a_file_of_another_format_is_told(file: Path) -> None:
    file.write_text('{"format": "persona-voice persona 2"}\n')
    with pytest.raises(PersonaFileError, match='persona 1", got persona-voice persona 2') as caught:
        check_persona(file)
    assert caught.value.code == "persona_file_format"


def test_another_signer_is_refused_where_one_is_demanded(file: Path, there: Store) -> None:
    with pytest.raises(PersonaFileError, match="must be signed by abcd, got") as caught:
        import_persona(there, file, signer="abcd")
    assert caught.value.code == "unknown_signer"
    assert there.personas() == []


def sign(path: Path, lines: list[str], key: Path) -> None:
    """As a signer would who does not keep to the rules."""
    private = persona_file.signing_key(key)
    head = {"format": persona_file.FORMAT, "persona": "samantha", "provenance": ""}
    head["signer"] = private.public_key().public_bytes_raw().hex()
    body = "".join(f"{line}\n" for line in [json.dumps(head), *lines])
    digest = persona_file.hashlib.sha512(body.encode()).digest()
    tail = {
        "num_events": len(lines),
        "signature": private.sign(persona_file._message(digest)).hex(),
    }
    path.write_text(f"{body}{json.dumps(tail)}\n")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('["a","marek",1.0,"forgotten","ann",[]]', "persona_file_tampered"),
        ('["a","samantha",1.0,"sung","",[]]', "persona_file_format"),
        ('["a","samantha",NaN,"born","",[]]', "persona_file_format"),
        ('["a","samantha",1.0,"born",""]', "persona_file_format"),
        ("null", "persona_file_format"),
        ("[" * 10_000, "persona_file_format"),
    ],
)
def test_a_signature_does_not_make_it_right(
    tmp_path: Path, there: Store, line: str, code: str
) -> None:
    sign(tmp_path / "a", ['["good","samantha",1.0,"forgotten","ann",[]]', line], tmp_path / "key")
    with pytest.raises(PersonaFileError) as caught:
        import_persona(there, tmp_path / "a")
    assert caught.value.code == code
    assert there.personas() == []


def test_an_event_that_differs_from_the_one_there_is_refused(tmp_path: Path, kept: Store) -> None:
    lines = [
        '["new","samantha",1.0,"forgotten","ann",[]]',
        '["0","samantha",1.0,"forgotten","ann",[]]',
    ]
    sign(tmp_path / "a", lines, tmp_path / "key")
    with pytest.raises(StoreError) as caught:
        import_persona(kept, tmp_path / "a")
    assert caught.value.code == "event_conflict"
    assert list(kept.events("samantha")) == EVENTS


def test_a_file_that_changes_while_it_is_read_is_refused(
    file: Path, there: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = check_persona(file)
    monkeypatch.setattr(persona_file, "check_persona", lambda _path: signed)
    file.write_bytes(file.read_bytes().replace(b"1.5", b"2.5"))
    with pytest.raises(PersonaFileError, match="changed while it was read"):
        import_persona(there, file)
    assert there.personas() == []


def test_a_place_that_cannot_be_written_or_read_is_told(tmp_path: Path, kept: Store) -> None:
    for path in (tmp_path / "nowhere" / "a", tmp_path):
        with pytest.raises(PersonaFileError, match="cannot be written") as caught:
            export_persona(kept, "samantha", path, key=tmp_path / "key")
        assert caught.value.code == "cannot_write"
    with pytest.raises(PersonaFileError, match="cannot be read: No such file") as caught:
        check_persona(tmp_path / "nothing")
    assert caught.value.code == "cannot_read"
    assert not list(tmp_path.glob(".*.part"))


def test_an_export_that_fails_leaves_the_old_file(
    tmp_path: Path, kept: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = file.read_bytes()

    def events(_persona: str) -> Iterator[Event]:
        yield EVENTS[0]
        raise StoreError("the store failed", code="store_failed")

    monkeypatch.setattr(kept, "events", events)
    with pytest.raises(StoreError, match="the store failed"):
        export_persona(kept, "samantha", file, key=tmp_path / "key")
    assert file.read_bytes() == old
    assert not list(tmp_path.glob(".*.part"))


def pem(key: Ed25519PrivateKey | X25519PrivateKey, password: bytes = b"") -> bytes:
    none = serialization.NoEncryption()
    locked = serialization.BestAvailableEncryption(password) if password else none
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(*formats, locked)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        pem(X25519PrivateKey.generate()),
        pem(Ed25519PrivateKey.generate(), b"password"),
    ],
)
def test_a_key_that_is_none_is_told_and_left(tmp_path: Path, kept: Store, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(PersonaFileError, match="put it back from a backup") as caught:
        export_persona(kept, "samantha", tmp_path / "a", key=tmp_path / "key")
    assert caught.value.code == "bad_key"
    assert (tmp_path / "key").read_bytes() == content
    assert not (tmp_path / "a").exists()


def test_two_that_make_the_key_at_once_have_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's is there just before ours gets its name."""
    theirs = pem(Ed25519PrivateKey.generate())
    link = Path.hardlink_to

    def late(path: Path, part: Path) -> None:
        path.write_bytes(theirs)
        link(path, part)

    monkeypatch.setattr(Path, "hardlink_to", late)
    assert pem(persona_file.signing_key(tmp_path / "key")) == theirs
    assert os.listdir(tmp_path) == ["key"]
