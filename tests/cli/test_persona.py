"""``persona-voice persona``: what it prints, and what it leaves."""

import json
import time
from pathlib import Path

import pytest

from persona_voice.cli import main as cli
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.ledger import day_of
from persona_voice.persona.state import Manner, PersonaState
from persona_voice.persona.store import Store

BORN_S = 1_700_000_000.0
TOLD = (("arousal", 0.25), ("seconds", 30.0), ("valence", 0.5))
EVENTS = [
    Event("0", "samantha", BORN_S, Kind.BORN, values=(("seed", 7.0),)),
    Event("1", "samantha", BORN_S + 60, Kind.NAMED, values=(("name", "Sam"),)),
    Event("2", "samantha", BORN_S + 120, Kind.CONVERSATION, "ann\x1b[31m", TOLD),
    Event("3", "samantha", BORN_S + 180, Kind.CONVERSATION, "bob", TOLD),
]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = tmp_path / "persona-voice" / "personas.db"
    with Store() as kept:
        kept.append([*EVENTS, Event("m", "Marek", 2e11, Kind.BORN, values=(("seed", 1.0),))])
        kept.put_snapshot(PersonaState("samantha", 7, 1, 19_675, "Sam", Manner(level_db=0.25)))
    return path


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.main(["persona", *map(str, words)]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: object, code: int = cli.ERROR) -> str:
    assert cli.main(["persona", *map(str, words)]) == code
    return capsys.readouterr().err


def misused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    return refused(capsys, *words, code=cli.USAGE)


def test_those_who_are_remembered_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "list") == (
        "Marek                    1 events, last 8307-10-01 19:33:20Z\n"
        "samantha                 4 events, last 2023-11-14 22:16:20Z\n"
    )
    found = json.loads(printed(capsys, "list", "--json"))
    assert [one["persona"] for one in found] == ["Marek", "samantha"]


def test_a_persona_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "show", "Samantha")
    for line in (
        "Sam (samantha)",
        "provenance  Designed, not recorded: ",
        "born        2023-11-14 22:13:20Z",
        "events      4, last 2023-11-14 22:16:20Z",
        "listeners   2",
        "manner      on ",
        "            level_db             +",
    ):
        assert f"\n{line}" in f"\n{text}"
    facts = json.loads(printed(capsys, "show", "samantha", "--json"))
    assert (facts["name"], facts["born_s"], facts["events"]) == ("Sam", BORN_S, 4)
    assert facts["day"] == day_of(time.time())
    assert all(-1 <= used <= 1 for used in facts["life_used"].values())
    assert facts["manner"].keys() == facts["life_used"].keys()


def test_a_persona_of_this_installation_is_born_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = ("--store", tmp_path / "new" / "a.db")
    text = printed(capsys, "create", "Samantha", "--called", "Sam", *where)
    assert text == f"Sam (samantha) lives in {where[1]}\n"
    assert "Sam (samantha)" in printed(capsys, "show", "samantha", *where)
    with Store(where[1]) as kept:
        before = list(kept.events("samantha"))
    assert "can be born once" in misused(capsys, "create", "samantha", *where)
    other = ("--store", tmp_path / "other.db")
    assert "must be as she comes" in misused(capsys, "create", "samantha", "--tilt", 1, *other)
    with Store(where[1]) as kept:
        assert list(kept.events("samantha")) == before


def test_one_of_whom_little_is_known_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "show", "Marek") == (
        "Marek (Marek)\nprovenance  not of this installation\nborn        8307-10-01 19:33:20Z\n"
        "events      1, last 8307-10-01 19:33:20Z\nlisteners   0\n"
    )


def test_the_history_is_a_line_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "history", "samantha").splitlines() == [
        "2023-11-14 22:13:20Z born         -            seed=7",
        "2023-11-14 22:14:20Z named        -            name='Sam'",
        "2023-11-14 22:15:20Z conversation ann\\x1b[31m  arousal=0.25 seconds=30 valence=0.5",
        "2023-11-14 22:16:20Z conversation bob          arousal=0.25 seconds=30 valence=0.5",
    ]
    lines = [json.loads(s) for s in printed(capsys, "history", "samantha", "--json").splitlines()]
    assert [one["id"] for one in lines] == ["0", "1", "2", "3"]
    assert lines[3]["values"] == dict(TOLD)


def test_a_listener_is_forgotten(capsys: pytest.CaptureFixture[str], store: Path) -> None:
    with Store() as kept:
        kept.append([Event("x", "Marek", BORN_S + 240, Kind.CONVERSATION, "bob", TOLD)])
    assert printed(capsys, "forget", "bob") == (
        "bob: 1 events of Marek erased\nbob: 1 events of samantha erased\n"
    )
    assert "Marek, samantha must know the listener" in misused(capsys, "forget", "bob")
    facts = json.loads(printed(capsys, "forget", "ann\x1b[31m", "--persona", "samantha", "--json"))
    assert facts == {
        "persona": "samantha",
        "listener": "ann\x1b[31m",
        "erased_events": 1,
        "erased_leaning": False,
    }
    with Store() as kept:
        kinds = [event.kind for event in kept.events("samantha")]
        assert kinds == [Kind.BORN, Kind.NAMED, Kind.FORGOTTEN, Kind.FORGOTTEN]
    assert b"valence" not in store.read_bytes()


def test_a_persona_is_taken_along(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file, other = tmp_path / "a.persona", ("--store", f"sqlite:///{tmp_path}/new/other.db")
    assert f"{file}: 4 events of samantha, signed by " in printed(
        capsys, "export", "SAMANTHA", file
    )
    signer = json.loads(printed(capsys, "export", "samantha", file, "--json"))["signer"]
    kept = file.read_bytes()
    assert "must hold none but Marek" in refused(capsys, "export", "Marek", file)
    assert file.read_bytes() == kept
    said = printed(capsys, "import", file, *other, "--signer", signer)
    assert said == f"samantha: 4 of 4 events were new, signed by {signer}\n"
    facts = json.loads(printed(capsys, "import", file, *other, "--json"))
    assert (facts["events"], facts["new_events"]) == (4, 0)
    assert "must be signed by ab, got" in refused(capsys, "import", file, "--signer", "ab")
    file.write_bytes(file.read_bytes().replace(b'"seed",7.0', b'"seed",8.0'))
    assert "must be as its signer left it" in refused(capsys, "import", file, *other)


def test_a_name_or_store_that_is_not_there_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for words in (["show", "sam"], ["history", "sam"], ["export", "sam", tmp_path / "a"]):
        assert 'no persona "sam" in ' in (said := refused(capsys, *words))
        assert said.endswith("there are: Marek, samantha\n")
    assert "no store at" in refused(capsys, "list", "--store", tmp_path / "typo.db")
    assert not (tmp_path / "typo.db").exists()
    assert "a store must be a path" in misused(capsys, "list", "--store", "mysql://host/x")


def test_an_action_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["persona"])
    assert "ACTION" in capsys.readouterr().err
