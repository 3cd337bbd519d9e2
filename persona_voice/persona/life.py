"""How a persona is on a day, from what the store remembers of her."""

from dataclasses import replace

from persona_voice.errors import PersonaFileError
from persona_voice.persona.evolve import birth, fold
from persona_voice.persona.persona import Persona, load_persona
from persona_voice.persona.state import PersonaState
from persona_voice.persona.store import Store


def state_on(kept: Store, persona: str, day: int) -> PersonaState:
    """Her state at the end of `day` (days since 1970, UTC), from the nearest snapshot.

    What was folded is kept as a snapshot, unless an event came or went meanwhile. Reading a ledger takes its
    time: never to be called where sound is made.

    Raises
    ------
    PersonaFileError
        ``no_birth`` for a ledger without one; ``not_born`` before the day of birth.
    StoreError
    """
    counted = kept.counted(persona, day)
    state = _from_snapshot(kept, persona, day) or _from_birth(kept, persona, day)
    kept.put_snapshot(state, counted=counted)
    return state


def _from_snapshot(kept: Store, persona: str, day: int) -> PersonaState | None:
    snapshot = kept.snapshot(persona, day)
    if snapshot is None:
        return None
    try:
        return fold(kept.events(persona, from_day=snapshot.day + 1), snapshot, day)
    except PersonaFileError as error:
        if error.code != "needs_older_state":
            raise
        return None


def _from_birth(kept: Store, persona: str, day: int) -> PersonaState:
    events = list(kept.events(persona))
    state = birth(events)
    if day < state.day:
        message = f'"{persona}" was born on day {state.born_day}, got day {day}, which is before'
        raise PersonaFileError(message, code="not_born", day=day)
    return fold(events, state, day)


def persona_of(state: PersonaState) -> Persona:
    """Whom to open a stream for: the persona of this installation that she is, with her own voice.

    Her manner is not in it: ``stream.set_manner(state.spoken)``.

    Raises
    ------
    PersonaFileError
        ``unknown_persona`` where this installation lacks the one that she is designed from.
    """
    base = load_persona(state.base or state.persona)
    weights = state.weights or base.weights
    return replace(base, name=state.name or base.name, weights=weights, voice=state.voice)
