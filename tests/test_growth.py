"""She grows and is upgraded, is heard to be herself, and the ledger tells of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from persona_voice.build import open_stream
from persona_voice.converter import MODES
from persona_voice.errors import WeightsError
from persona_voice.growth import LIKE_HERSELF, change_over, grow, similarity_to_birth, upgrade
from persona_voice.model.verifier import load_verifier
from persona_voice.path.probes import RATE, probes
from persona_voice.persona.event import Kind, happened
from persona_voice.persona.evolve import born
from persona_voice.persona.life import persona_of, state_on
from persona_voice.persona.limits import BUDGETS
from persona_voice.persona.state import Manner
from persona_voice.persona.store import Store
from persona_voice.persona.voice import Voice

OLD = Path(__file__).parent / "data" / "converter_of_3270fbb.safetensors"
DAY_S = 86_400
BORN_S = 20_000.5 * DAY_S
AT_BIRTH = born("samantha", 1, BORN_S)
VOICE = {"register_semitones": -2.0, "tract_octaves": 0.04, "breath_db": 1.0, "tilt_db": -0.3}


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    kept = Store(tmp_path / "a.db")
    kept.append(
        [
            happened(Kind.BORN, "iris", BORN_S, seed=7),
            happened(Kind.NAMED, "iris", BORN_S, name="Iris"),
            happened(Kind.DESIGNED, "iris", BORN_S, base="samantha", **VOICE),
        ]
    )
    return kept


def likes_the_upper_end(kept: Store, days: int) -> None:
    ends = {name: budget.life[1] for name, budget in BUDGETS.items()}
    kept.append(
        happened(Kind.FEEDBACK, "iris", BORN_S + day * DAY_S, f"{who}", liked=1, **ends)
        for day in range(days)
        for who in range(8)
    )


def test_at_the_corners_of_all_budgets_for_life_she_is_herself() -> None:
    rng = np.random.default_rng(1)
    assert similarity_to_birth(AT_BIRTH, Manner()) == pytest.approx(1, abs=1e-5)
    for _ in range(6):
        corner = Manner(**{name: rng.choice(budget.life) for name, budget in BUDGETS.items()})
        assert LIKE_HERSELF < similarity_to_birth(AT_BIRTH, corner) < 0.95


def test_another_voice_is_not_taken_for_her() -> None:
    other = replace(AT_BIRTH, voice=Voice(register_semitones=-3.0, tract_octaves=0.1))
    assert similarity_to_birth(other, Manner()) < LIKE_HERSELF
    assert load_verifier().same_speaker < LIKE_HERSELF


def test_growth_is_heard_adopted_and_spoken(kept: Store) -> None:
    likes_the_upper_end(kept, 60)
    before = state_on(kept, "iris", 20_060)
    assert before.spoken == Manner() != before.manner
    step = grow(kept, "iris", BORN_S + 60 * DAY_S)
    assert step.adopted
    assert LIKE_HERSELF < step.similarity < 1
    assert step.state.spoken == step.manner


def test_what_is_not_herself_is_refused(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets that would let her go anywhere: the judge stops what they do not."""
    likes_the_upper_end(kept, 60)
    wide = Manner(register_semitones=6.0, tilt_db=2.0)
    monkeypatch.setattr(
        "persona_voice.growth.similarity_to_birth",
        lambda state, _: similarity_to_birth(state, wide),
    )
    step = grow(kept, "iris", BORN_S + 60 * DAY_S)
    assert not step.adopted
    assert step.similarity < LIKE_HERSELF
    assert step.state.spoken == Manner()
    assert kept.newest("iris", Kind.REFUSED) is not None


@pytest.mark.parametrize("back", [False, True])
def test_between_two_really_different_sets_of_weights_she_stays_herself(
    kept: Store, back: bool
) -> None:
    if back:
        upgrade(kept, "iris", OLD, BORN_S)
    state = state_on(kept, "iris", 20_001)
    weights = "converter.safetensors" if back else str(OLD)
    done = upgrade(kept, "iris", weights, BORN_S + 2 * DAY_S)
    assert done.similarity >= done.similarity_unfitted
    assert done.similarity > 0.9
    after = state_on(kept, "iris", 20_002)
    assert (after.weights, after.voice) == (weights, done.voice)
    assert after.born_voice == state.born_voice == Voice(**VOICE)
    told = kept.newest("iris", Kind.UPGRADED)
    assert told is not None
    assert dict(told.values)["weights"] == weights


def test_a_stream_that_speaks_is_taken_along_without_a_break(kept: Store) -> None:
    before = persona_of(state_on(kept, "iris", 20_001))
    upgrade(kept, "iris", OLD, BORN_S + DAY_S)
    after = persona_of(state_on(kept, "iris", 20_001))
    sound = np.tile(probes()[1], 7)[: 28 * RATE]  # the same words every four seconds
    stream, hop = open_stream(before, RATE), RATE // 100
    out = [stream.process(sound[: 12 * RATE])]
    change_over(stream, after)
    out += [stream.process(sound[at : at + hop]) for at in range(12 * RATE, len(sound), hop)]
    whole = np.concatenate(out)
    assert stream.persona == after
    assert stream.status.faults == {}
    # No hop beside the change is louder in the highest octave than the same words are without.
    power = np.abs(np.fft.rfft(whole.reshape(-1, hop) * np.hanning(hop)))[:, hop // 4 :] ** 2
    high, beside = power.sum(axis=1), np.zeros(len(power), bool)
    beside[1695:1740] = True
    assert high[beside].max() < 1.5 * high[~beside].max()
    # And she is the same before and after, to a judge that the converter never saw.
    judge = load_verifier()
    one, other = whole[4 * RATE : 12 * RATE], whole[20 * RATE :]
    assert judge.embed(one, RATE) @ judge.embed(other, RATE) > 0.8


@pytest.mark.parametrize("mode", MODES)
def test_a_stream_stays_in_its_mode(kept: Store, mode: str) -> None:
    before = persona_of(state_on(kept, "iris", 20_001))
    after = replace(before, weights=str(OLD))
    stream = open_stream(before, RATE, mode)
    change_over(stream, after)
    stream.reset()
    sound = probes()[1][:RATE]
    assert np.array_equal(stream.process(sound), open_stream(after, RATE, mode).process(sound))


def test_weights_that_cannot_be_read_change_nothing(kept: Store, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(OLD.read_bytes()[:100_000])
    for weights, code in ((tmp_path / "none", "weights_missing"), (damaged, "weights_damaged")):
        with pytest.raises(WeightsError) as caught:
            upgrade(kept, "iris", weights, BORN_S + DAY_S)
        assert caught.value.code == code
    with pytest.raises(WeightsError, match=r"the package's are converter\.safetensors$"):
        upgrade(kept, "iris", "convertor.safetensors", BORN_S + DAY_S)
    assert kept.newest("iris", Kind.UPGRADED) is None
