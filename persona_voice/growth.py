"""How she grows and is upgraded, and is heard to be herself each time: the store, the path and the judge."""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from persona_voice.build import weights_folder
from persona_voice.converter import MODES
from persona_voice.errors import PersonaFileError, WeightsError
from persona_voice.model.native_converter import NativeConverter, load_converter
from persona_voice.model.verifier import Verifier, load_verifier, similarity
from persona_voice.path.fitting import fitted
from persona_voice.path.probes import RATE, spoken
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.adoption import Step, adopt
from persona_voice.persona.event import Kind, happened
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import persona_of, state_on
from persona_voice.persona.persona import Persona, load_persona
from persona_voice.persona.state import BIRTH, Manner, PersonaState
from persona_voice.persona.store import Store
from persona_voice.persona.voice import Voice

Embeddings = npt.NDArray[np.float32]

# The least that a step may be like birth, sentence by sentence: well within the band of one speaker, which
# begins at `Verifier.same_speaker`, 0.44, and just below the corners of all budgets for life, which lie
# from 0.77 (`tests/test_growth.py`). What is heard as less than that did not come of growth.
LIKE_HERSELF = 0.7


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What `upgrade` did."""

    weights: str
    """As the ledger has them."""
    voice: Voice
    """In which she speaks with them."""
    similarity_unfitted: float
    """To herself before, sentence by sentence, had her voice stayed as it was."""
    similarity: float
    """And in `voice`."""


def similarity_to_birth(state: PersonaState, manner: Manner) -> float:
    """Speaking in `manner`, to her at birth: of the probe sentences the least similar.

    Raises
    ------
    PersonaFileError, WeightsError
    """
    base = load_persona(state.base or state.persona)
    born = _heard(replace(base, voice=state.born_voice), BIRTH)
    return _least(_heard(persona_of(state), manner), born)


def grow(store: Store, persona: str, at_s: float) -> Step:
    """Lets her speak as she has grown by now, if she is heard to be herself in it.

    Her probe sentences are spoken in her grown manner and compared with her at birth by a speaker
    verifier that the converter never saw: `LIKE_HERSELF`. What does not pass is refused, and logged.
    Once a day is enough. Takes a second or two: never to be called where sound is made.

    Raises
    ------
    PersonaFileError, StoreError, WeightsError
    """
    return adopt(
        store, persona, at_s, lambda state: similarity_to_birth(state, state.manner), LIKE_HERSELF
    )


def return_to(store: Store, persona: str, day: int, at_s: float) -> Step:
    """She is again as at the end of `day`, grows on from there, and speaks so if she is heard to be
    herself.

    Raises
    ------
    PersonaFileError
        ``bad_return`` unless `day` is before that of `at_s`; ``not_born``, ``no_birth``.
    StoreError, WeightsError
    """
    today = day_of(at_s)
    if day >= today:
        message = f"the day returned to must be before today, {today}, got {day}"
        raise PersonaFileError(message, code="bad_return", day=day)
    state_on(store, persona, day)  # refuses a day before her birth
    store.append([happened(Kind.RETURNED, persona, at_s, day=day)])
    return grow(store, persona, at_s)


def upgrade(store: Store, persona: str, weights: str | Path, at_s: float) -> Upgrade:
    """Other weights speak for her from now on, in the voice that sounds most as she did before.

    `weights` is a path, kept as a whole one, or the name of a file among the package's. Streams that are
    open go on as they are: `change_over` takes them along.

    Raises
    ------
    PersonaFileError, StoreError
    WeightsError
        With nothing changed.
    """
    state = state_on(store, persona, day_of(at_s))
    before = persona_of(state)
    file = Path(weights)
    known = sorted(each.name for each in weights_folder().glob("converter*.safetensors"))
    if not file.is_file() and str(file) not in known:
        message = f"no weights at {weights}; the package's are {', '.join(known)}"
        raise WeightsError(message, code="weights_missing")
    after = replace(before, weights=str(file.resolve() if file.is_file() else file))
    old, new = _converter(before), _converter(after)
    found = replace(after, voice=fitted(old, before.voice, new).voice)
    was = _heard(before, state.spoken)
    unfitted, likeness = (_least(_heard(of, state.spoken), was) for of in (after, found))
    if likeness < unfitted:
        found, likeness = after, unfitted
    voice = asdict(found.voice)
    store.append([happened(Kind.UPGRADED, persona, at_s, weights=after.weights, **voice)])
    return Upgrade(found.weights, found.voice, unfitted, likeness)


def change_over(stream: VoiceStream, persona: Persona) -> None:
    """Takes a stream that speaks to the weights and the voice of `persona`, without a break.

    Of their modes it is the one that looks ahead the most of those that the stream's latency allows.

    Raises
    ------
    SettingError
        ``other_lookahead``, ``changing_over``; as `VoiceStream.change_over`.
    WeightsError
    """
    modes = sorted((_converter(persona, mode) for mode in MODES), key=lambda of: of.lookahead)
    allowed = [of for of in modes if of.lookahead <= stream.lookahead] or modes[:1]
    stream.change_over(allowed[-1], persona)


def _least(some: Embeddings, others: Embeddings) -> float:
    return min(similarity(one, other) for one, other in zip(some, others, strict=True))


def _converter(persona: Persona, mode: str = "live") -> NativeConverter:
    return load_converter(weights_folder() / persona.weights, mode)


def _heard(persona: Persona, manner: Manner) -> Embeddings:
    """Who is heard in each probe, ``[probes, width]``."""
    return _heard_through(_converter(persona), persona, manner)


@lru_cache(maxsize=32)
def _heard_through(converter: NativeConverter, persona: Persona, manner: Manner) -> Embeddings:
    """Of the converter, too, since the file of its weights may hold others the next time."""
    judge = _judge()
    return np.array([judge.embed(sound, RATE) for sound in spoken(converter, persona, manner)])


@lru_cache(maxsize=1)
def _judge() -> Verifier:
    return load_verifier()
