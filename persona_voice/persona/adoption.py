"""What she has grown to be is spoken only after she was heard to be herself in it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from persona_voice.persona.event import Kind, happened
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import state_on
from persona_voice.persona.state import Manner, PersonaState
from persona_voice.persona.store import Store

# How like herself at birth she is, grown as she has: 1 for the same.
Judge = Callable[[PersonaState], float]


@dataclass(frozen=True, slots=True)
class Step:
    """What became of her growth since the last time."""

    similarity: float
    """To birth, of how she had grown."""
    adopted: bool
    manner: Manner
    """As she had grown."""
    state: PersonaState
    """Afterwards: `state.spoken` is how she speaks."""


def adopt(kept: Store, persona: str, at_s: float, judge: Judge, least: float) -> Step:
    """Looks at how she has grown by now, `at_s`, and keeps in the ledger what comes of it.

    At least `least` like herself, she speaks so from now on (`Kind.ADOPTED`). Else it is refused, and
    she grows on from where she was when it was last adopted, or from birth (`Kind.REFUSED`).

    Raises
    ------
    PersonaFileError, StoreError
        As `state_on`.
    """
    today = day_of(at_s)
    state = state_on(kept, persona, today)
    similarity = judge(state)
    adopted = similarity >= least
    if adopted:
        told = asdict(state.manner) | {"day": today, "similarity": similarity}
        event = happened(Kind.ADOPTED, persona, at_s, **told)
    else:
        adopted_day = state.born_day - 1 if state.spoken_day is None else state.spoken_day
        back = min(adopted_day, today - 1)  # it may have been adopted this morning
        event = happened(Kind.REFUSED, persona, at_s, day=back, similarity=similarity)
    kept.append([event])
    return Step(similarity, adopted, state.manner, state_on(kept, persona, today))
