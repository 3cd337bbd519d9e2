"""Growth is spoken only when she was heard to be herself in it, and the ledger tells."""

from pathlib import Path

import pytest
from ledgers import BIRTH_DAY, BORN, DAY_S, likes_her_at

from persona_voice.persona.adoption import adopt
from persona_voice.persona.event import Kind
from persona_voice.persona.evolve import birth, fold
from persona_voice.persona.life import state_on
from persona_voice.persona.limits import life_used
from persona_voice.persona.state import Manner, PersonaState
from persona_voice.persona.store import Store


def like_herself(state: PersonaState) -> float:
    """Less so the further she has grown."""
    return 1 - max(map(abs, life_used(state.manner).values()))


def on(day: int) -> float:
    return (BIRTH_DAY + day + 0.5) * DAY_S


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    kept = Store(tmp_path / "a.db")
    kept.append([BORN, *(likes_her_at(1, f"{n} {who}", n, who) for n in range(60) for who in "ab")])
    return kept


def test_what_passes_is_spoken_from_then_on(kept: Store) -> None:
    assert state_on(kept, "ada", BIRTH_DAY + 10).spoken == Manner()
    step = adopt(kept, "ada", on(10), like_herself, 0.5)
    assert step.adopted
    assert step.manner == step.state.spoken == state_on(kept, "ada", BIRTH_DAY + 10).manner
    assert step.state.spoken_day == BIRTH_DAY + 10
    later = state_on(kept, "ada", BIRTH_DAY + 30)
    assert later.spoken == step.manner != later.manner
    told = kept.newest("ada", Kind.ADOPTED)
    assert told is not None
    assert dict(told.values)["similarity"] == step.similarity == like_herself(step.state)


def test_what_does_not_pass_is_refused_logged_and_not_spoken(kept: Store) -> None:
    first = adopt(kept, "ada", on(10), like_herself, 0.5)
    second = adopt(kept, "ada", on(40), like_herself, like_herself(first.state))
    assert not second.adopted
    assert second.state.spoken == first.manner
    assert second.state.manner == first.manner != second.manner  # and she grows on from there
    told = kept.newest("ada", Kind.REFUSED)
    assert told is not None
    assert dict(told.values) == {"day": BIRTH_DAY + 10, "similarity": second.similarity}
    ledger = list(kept.events("ada"))
    assert fold(ledger[::-1], birth(ledger), BIRTH_DAY + 60) == state_on(
        kept, "ada", BIRTH_DAY + 60
    )


def test_the_first_step_refused_leaves_her_as_born(kept: Store) -> None:
    step = adopt(kept, "ada", on(10), like_herself, 2.0)
    assert (step.state.manner, step.state.spoken, step.adopted) == (Manner(), Manner(), False)


def test_a_day_may_hold_both(kept: Store) -> None:
    adopt(kept, "ada", on(10), like_herself, 0.5)
    refused = adopt(kept, "ada", on(10) + 60, like_herself, 2.0)
    assert not refused.adopted
    assert refused.state.manner == state_on(kept, "ada", BIRTH_DAY + 9).manner
    assert adopt(kept, "ada", on(10) + 120, like_herself, 0.5).adopted


def test_a_number_that_is_none_is_no_pass(kept: Store) -> None:
    """A judge that fails says nan, and nobody may be let through by that."""
    with pytest.raises(Exception, match="similarity"):
        adopt(kept, "ada", on(10), lambda _: float("nan"), 0.5)
    assert kept.newest("ada", Kind.ADOPTED) is None
    assert kept.newest("ada", Kind.REFUSED) is None
