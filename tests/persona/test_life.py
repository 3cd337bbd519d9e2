"""Her state on a day, out of the store: as if all had been folded at once, whatever came when."""

from pathlib import Path

import pytest
from ledgers import BIRTH_DAY, BORN, any_ledger, conversation, event, likes_her_at

from persona_voice.errors import PersonaFileError
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.evolve import birth, fold
from persona_voice.persona.life import state_on
from persona_voice.persona.state import PersonaState
from persona_voice.persona.store import Store

DAYS = 40
LAST = BIRTH_DAY + DAYS


def at_once(events: list[Event], day: int) -> PersonaState:
    return fold(events, birth(events), day)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_when_it_is_as_if_folded_at_once(tmp_path: Path, seed: int) -> None:
    events = [of for of in any_ledger(seed, DAYS) if of is not BORN]
    third = len(events) // 3
    with Store(tmp_path / "a.db") as kept:
        kept.append([BORN])
        for n, day in enumerate((BIRTH_DAY + 10, LAST - 5, LAST)):
            kept.append(events[n * third : (n + 1) * third if n < 2 else None])
            known = list(kept.events("ada"))
            assert state_on(kept, "ada", day) == at_once(known, day)
            assert kept.snapshot("ada", day) == at_once(known, day)


def test_a_listener_who_is_forgotten_leaves_no_trace(tmp_path: Path) -> None:
    theirs = [likes_her_at(1, n, n, "ann") for n in range(1, 20)]
    others = [conversation(f"b{n}", n, "bob", valence=1.0) for n in range(1, 20)]
    with Store(tmp_path / "a.db") as kept:
        kept.append([BORN, *theirs, *others])
        before = state_on(kept, "ada", LAST)
        kept.append([event("f", 30, Kind.FORGOTTEN, "ann")])
        after = state_on(kept, "ada", LAST)
        assert after.manner != before.manner
        assert after == at_once([BORN, *others], LAST)
        assert all(of.listener != "ann" for of in after.opinions)


@pytest.mark.parametrize(
    "meanwhile",
    [
        [likes_her_at(1, 2, 3, "bob")],
        [event("f", 3, Kind.FORGOTTEN, "ann")],  # as many events as before: one goes, one comes
        [event("f", LAST - BIRTH_DAY + 9, Kind.FORGOTTEN, "ann"), likes_her_at(1, 2, 3, "bob")],
    ],
    ids=["one comes", "one is forgotten", "one is forgotten later on, and one comes"],
)
def test_what_comes_or_goes_while_it_is_folded_leaves_no_untrue_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: list[Event]
) -> None:
    with Store(tmp_path / "a.db") as kept:
        kept.append([BORN, likes_her_at(1, 1, 3, "ann")])
        said = list(kept.events("ada"))
        monkeypatch.setattr(kept, "events", lambda _: said if kept.append(meanwhile) else [])
        state_on(kept, "ada", LAST)
        assert kept.snapshot("ada", LAST) is None


def test_who_was_never_born_or_not_yet_is_told(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as kept:
        with pytest.raises(PersonaFileError) as caught:
            state_on(kept, "ada", LAST)
        assert caught.value.code == "no_birth"
        kept.append([BORN])
        with pytest.raises(PersonaFileError) as caught:
            state_on(kept, "ada", BIRTH_DAY - 2)
        assert caught.value.code == "not_born"
