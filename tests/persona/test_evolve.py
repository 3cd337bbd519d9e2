"""Growth: the same from the same events, however they come; and always within her budgets."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from ledgers import (
    BACK,
    BIRTH_DAY,
    BORN,
    DAY_S,
    any_ledger,
    conversation,
    event,
    feedback,
    likes_her_at,
)
from plain import plain_manner

from persona_voice.errors import PersonaFileError
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.evolve import birth, born, course, evolve, fold
from persona_voice.persona.limits import BUDGETS, life_used
from persona_voice.persona.state import MANNER, Manner, Opinion, PersonaState
from persona_voice.persona.voice import DESIGN, VOICE, Voice

DAYS = 30
END = BIRTH_DAY + DAYS
SEEDS = range(200)
AT_BIRTH = birth([BORN])


def grown(ledger: Sequence[Event], day: int = END) -> PersonaState:
    return fold(ledger, AT_BIRTH, day)


def shares(manner: Manner) -> np.ndarray:
    return np.array(list(life_used(manner).values()))


def later(ledger: Sequence[Event], day: int) -> list[Event]:
    return [e for e in ledger if max(e.at_s // DAY_S, BIRTH_DAY) > day]


@pytest.mark.parametrize("of_seeds", [SEEDS[n::10] for n in range(10)], ids=str)
def test_it_is_the_plain_reference_s_to_the_last_bit(of_seeds: range) -> None:
    for seed in of_seeds:
        ledger = any_ledger(seed, DAYS)
        assert grown(ledger).manner == plain_manner(ledger, 7, BIRTH_DAY, END), seed


def test_the_reference_s_too_when_listeners_are_forgotten_and_when_they_stay_away_for_years() -> (
    None
):
    for seed in SEEDS[:20]:
        ledger = [*any_ledger(seed, days=3 * 365)]
        rng = np.random.default_rng(seed)
        for n in range(3):
            who = f"listener {rng.integers(8)}"
            ledger.append(event(f"f{n}", float(rng.uniform(0, 3 * 365)), Kind.FORGOTTEN, who))
        end = BIRTH_DAY + 3 * 365
        assert grown(ledger, end).manner == plain_manner(ledger, 7, BIRTH_DAY, end), seed


def test_order_and_repetition_do_not_matter() -> None:
    for seed in SEEDS:
        ledger, rng = any_ledger(seed, DAYS), np.random.default_rng(seed)
        again = rng.integers(len(ledger), size=2 * len(ledger))
        other = [*(ledger[n] for n in again), *ledger]
        other = [replace(other[n]) for n in rng.permutation(len(other))]
        assert grown(other) == grown(ledger), seed


def test_ledgers_of_two_machines_merge_to_that_of_one() -> None:
    for seed in SEEDS:
        ledger, rng = any_ledger(seed, DAYS), np.random.default_rng(seed)
        where = rng.integers(3, size=len(ledger))
        here = [e for e, w in zip(ledger, where, strict=True) if w != 0]
        there = [e for e, w in zip(ledger, where, strict=True) if w != 1]
        assert grown(there + here) == grown(ledger), seed


def test_from_a_state_on_the_way_it_goes_on_as_if_from_birth() -> None:
    for seed in SEEDS:
        ledger, rng = any_ledger(seed, DAYS), np.random.default_rng(seed)
        back = [int(e.values[0][1]) for e in ledger if e.kind in BACK]
        middle = min([int(rng.integers(BIRTH_DAY - 1, END)), *back])
        state = grown(ledger, middle)
        assert fold(later(ledger, middle), state, END) == grown(ledger), seed


def test_day_by_day_is_the_same_as_at_once_also_written_down_between() -> None:
    for seed in SEEDS[:20]:
        ledger = [e for e in any_ledger(seed, DAYS) if e.kind not in BACK]
        state = AT_BIRTH
        for day in range(BIRTH_DAY, END + 1):
            today = [e for e in later(ledger, day - 1) if e.at_s < (day + 1) * DAY_S]
            state = evolve(read_back(json.dumps(asdict(state))), today)
        assert state == grown(ledger), seed


def read_back(text: str) -> PersonaState:
    values = json.loads(text)
    for name in ("manner", "spoken"):
        values[name] = Manner(**values[name])
    for name in ("born_voice", "voice"):
        values[name] = Voice(**values[name])
    values["opinions"] = tuple(
        Opinion(o["listener"], o["day"], tuple(o["liked"]), tuple(o["lived"]))
        for o in values["opinions"]
    )
    return PersonaState(**values)


def test_an_event_changed_by_a_little_changes_the_state() -> None:
    """Else the equalities above would be cheap."""
    ledger = [BORN, feedback(1, 3, "a", 1, tilt_db=0.1)]
    changed = [BORN, feedback(1, 3, "a", 1, tilt_db=0.1001)]
    a_day_later = [BORN, feedback(1, 4, "a", 1, tilt_db=0.1)]
    states = {grown(some).manner for some in (ledger, changed, a_day_later, [BORN])}
    assert len(states) == 4


def test_budgets_hold_for_any_ledger() -> None:
    for seed in SEEDS:
        ledger, end = [*any_ledger(seed, DAYS, absurd=0.9)], seed % 2
        for n in range(DAYS):
            # Everybody, every day, wants her at an end: the worst that can be said.
            ledger.append(likes_her_at(end, f"x{n}", n, f"listener {n % 8}"))
            ledger.append(conversation(f"y{n}", n, "a", arousal=1e300, seconds=1e300))
        returns = {int(e.at_s // DAY_S) for e in ledger if e.kind in BACK}
        first = int(np.random.default_rng(seed).integers(DAYS - 1))
        state = grown(ledger, BIRTH_DAY + first)
        for day in range(DAYS) if seed < 4 else (first + 1,):
            if BIRTH_DAY + day > state.day:
                before, state = state, grown(ledger, BIRTH_DAY + day)
                assert_within(before, state, returns)


def test_budgets_hold_with_hundreds_united_at_an_end_for_years() -> None:
    days = 700
    told = [
        likes_her_at(0, f"{n}-{d}", d, f"l{n}") for n in range(300) for d in range(n % 9, days, 9)
    ]
    state = AT_BIRTH
    for day in range(6, days, 7):
        before, today = state, BIRTH_DAY + day
        week = [e for e in told if state.day < e.at_s // DAY_S <= today]
        state = fold(week, state, today)
        assert_within(before, state, set())
    assert (shares(state.manner) < -0.2).all()


def assert_within(before: PersonaState, state: PersonaState, returns: set[int]) -> None:
    days = range(before.day + 1, state.day + 1)
    for name, budget in BUDGETS.items():
        value = getattr(state.manner, name)
        assert budget.life[0] <= value <= budget.life[1]
        moved = abs(value - getattr(before.manner, name))
        assert moved <= budget.day * len(days) + 1e-12 or returns.intersection(days)


def test_budgets_are_limits_and_hold_however_wild_her_own_steps_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("persona_voice.persona.evolve.WANDER", 2**24)
    manners, state = course([BORN], AT_BIRTH, BIRTH_DAY + 400)
    steps = [PersonaState("ada", 7, BIRTH_DAY, day, "", manner) for day, manner in manners.items()]
    for before, after in pairwise(steps):
        assert_within(before, after, set())
    used = np.abs([shares(manner) for manner in manners.values()])
    assert used.max() == 1  # and it was reached
    assert manners[state.day] == state.manner


def everybody(num: int, days: int, seed: int) -> list[Event]:
    """Of two minds: half would have her at one end, half at the other."""
    rng = np.random.default_rng(seed)
    return [
        likes_her_at(n % 2, f"h{n}-{day}", day, f"honest {n}")
        for n in range(num)
        for day in sorted(rng.integers(0, days, 4).tolist())
    ]


@pytest.mark.parametrize("num_hostile", [0, 1, 5])
def test_a_few_of_fifty_move_her_by_no_more_than_their_share(num_hostile: int) -> None:
    """5 of 55 that speak every day, and often, and with one voice; the others seldom. However the
    others' opinions fall: as here, a median would jump from one end to the other."""
    days = 400
    for seed in range(5):
        honest = [BORN, *everybody(50, days, seed)]
        hostile = [
            likes_her_at(1, f"b{n}-{day}-{k}", day, f"hostile {n}")
            for n in range(num_hostile)
            for day in range(200, days)
            for k in range(3)
        ]
        end = BIRTH_DAY + days - 1
        moved = shares(grown(honest + hostile, end).manner) - shares(grown(honest, end).manner)
        assert np.abs(moved).max() <= num_hostile / (50 + num_hostile + 4) + 1e-6
        assert num_hostile == 0 or moved.min() > 0.2 * num_hostile / (54 + num_hostile)


def test_an_only_listener_moves_her_by_at_most_a_tenth_however_much_is_said() -> None:
    end = BIRTH_DAY + 1500
    alone = [likes_her_at(1, f"{d}-{n}", d, "a") for d in range(1500) for n in range(2)]
    moved = shares(grown([BORN, *alone], end).manner) - shares(grown([BORN], end).manner)
    assert (moved > 0.07).all()
    assert (moved <= 0.1 + 1e-6).all()


def test_a_flood_by_one_listener_in_a_day_is_one_opinion() -> None:
    one = [BORN, likes_her_at(0, 1, 3, "a"), conversation(2, 3, "a", seconds=700.0, arousal=1.0)]
    flood = [replace(e, id=f"{e.id}-{n}") for e in one[1:] for n in range(1000)]
    assert grown([*one, *flood]).manner == grown(one).manner


def test_a_like_draws_her_near_and_a_dislike_back_to_birth() -> None:
    def end_of(liked: int) -> float:
        fed = [feedback(n, n, f"l{n % 5}", liked, register_semitones=0.8) for n in range(DAYS)]
        return grown([BORN, *fed]).manner.register_semitones

    at_rest = grown([BORN]).manner.register_semitones
    assert end_of(1) > at_rest + 0.01
    assert end_of(-1) == at_rest


def test_lively_talk_makes_her_higher_livelier_faster_louder_and_brighter() -> None:
    def end_of(arousal: float) -> np.ndarray:
        talks = [conversation(n, n, f"l{n % 5}", arousal=arousal) for n in range(DAYS)]
        return shares(grown([BORN, *talks]).manner)

    signs = np.sign(end_of(1) - end_of(0))
    assert signs.tolist() == [1, 1, 1, 1, -1, 1]
    np.testing.assert_allclose(end_of(1) - end_of(0), end_of(0) - end_of(-1), atol=1e-5)


def test_left_alone_she_wanders_about_her_birth_and_each_seed_otherwise() -> None:
    ends = [shares(fold([], born("ada", seed, 0.0), 1000).manner) for seed in range(40)]
    assert np.abs(np.mean(ends)) < 0.03  # 240 values: 0.004 is its standard error
    assert 0.045 < np.std(ends) < 0.075
    assert np.abs(ends).max() < 0.3


def test_whoever_is_forgotten_might_never_have_spoken() -> None:
    for seed in SEEDS:
        ledger = [e for e in any_ledger(seed, DAYS) if e.at_s < (END + 1) * DAY_S]
        late = event("late", 15, Kind.FORGOTTEN, "listener 3")
        silent = [e for e in ledger if e.listener != "listener 3" or e.at_s > late.at_s]
        silent += [
            e
            for e in ledger
            if e.listener == "listener 3" and e.kind not in (Kind.CONVERSATION, Kind.FEEDBACK)
        ]
        assert grown([*ledger, late]) == grown(silent), seed


def test_what_was_said_in_the_moment_of_forgetting_is_forgotten_and_a_moment_later_is_not() -> None:
    forget = event("f", 3, Kind.FORGOTTEN, "a")
    assert grown([likes_her_at(1, 1, 3, "a"), forget]) == grown([])
    assert grown([likes_her_at(1, 1, 3.001, "a"), forget]) != grown([])


def test_forgetting_needs_to_start_from_birth_and_a_return_from_before_its_day() -> None:
    state = grown([BORN, conversation(1, 2, "a")], BIRTH_DAY + 9)
    forget = event("f", 20, Kind.FORGOTTEN, "a")
    with pytest.raises(PersonaFileError) as caught:
        fold([forget], state, END)
    assert (caught.value.code, caught.value.fields) == ("needs_older_state", {"day": BIRTH_DAY - 1})
    with pytest.raises(PersonaFileError) as caught:
        fold([event("r", 20, Kind.RETURNED, day=BIRTH_DAY + 8)], state, END)
    assert (caught.value.code, caught.value.fields) == ("needs_older_state", {"day": BIRTH_DAY + 8})
    # Neither has come yet.
    assert fold([forget], state, BIRTH_DAY + 19) == fold([], state, BIRTH_DAY + 19)


def test_a_return_brings_back_that_day_and_what_was_heard_since_counts_no_more() -> None:
    said = [BORN, *(likes_her_at(1, n, n, f"l{n % 3}") for n in range(30))]
    back = event("r", 30, Kind.RETURNED, day=BIRTH_DAY + 10)
    assert grown([*said, back], BIRTH_DAY + 29) == grown(said, BIRTH_DAY + 29)
    then = grown(said, BIRTH_DAY + 10)
    returned = grown([*said, back], BIRTH_DAY + 30)
    assert returned.manner == then.manner
    assert [o.liked for o in returned.opinions] == [o.liked for o in then.opinions]
    assert grown([*said, back], BIRTH_DAY + 31).manner != then.manner


def test_an_event_of_days_that_the_state_has_behind_it_needs_an_older_one() -> None:
    state = grown([BORN], BIRTH_DAY + 9)
    with pytest.raises(PersonaFileError) as caught:
        fold([conversation(1, 9.5, "a")], state, END)
    assert (caught.value.code, caught.value.fields) == ("needs_older_state", {"day": BIRTH_DAY + 8})
    with pytest.raises(PersonaFileError, match="day 20008 needs a state of that day"):
        fold([], state, BIRTH_DAY + 8)


def test_events_of_the_future_wait_for_their_day() -> None:
    ledger = [BORN, likes_her_at(1, 1, DAYS + 1, "a"), event(2, DAYS + 1, Kind.NAMED, name="Ada")]
    assert grown(ledger) == grown([BORN])
    assert grown(ledger, END + 1) != grown([BORN], END + 1)
    assert (grown(ledger).name, grown(ledger, END + 1).name) == ("", "Ada")


def test_an_event_dated_before_her_birth_counts_on_its_day() -> None:
    early, then = likes_her_at(1, 1, -700, "a"), likes_her_at(1, 1, 0, "a")
    assert grown([BORN, early]) == grown([BORN, then])


def test_the_last_name_is_hers() -> None:
    names = [event(n, day, Kind.NAMED, name=f"name {n}") for n, day in enumerate((5, 9, 7))]
    assert grown(names).name == "name 1"


def voice_values(**values: float) -> dict[str, float]:
    return dict.fromkeys(VOICE, 0.0) | values


def test_her_voice_is_that_of_birth_until_an_upgrade_and_that_of_birth_is_not_lost() -> None:
    designed = event(1, 0, Kind.DESIGNED, base="samantha", **voice_values(tilt_db=-1.0))
    upgraded = event(2, 9, Kind.UPGRADED, weights="new", **voice_values(tilt_db=-0.9))
    before, after = grown([upgraded, designed], BIRTH_DAY + 8), grown([upgraded, designed])
    born_voice = Voice(tilt_db=-1.0)
    assert (before.base, before.born_voice, before.voice) == ("samantha", born_voice, born_voice)
    assert (before.weights, after.weights) == ("", "new")
    assert (after.born_voice, after.voice) == (born_voice, Voice(tilt_db=-0.9))


def test_she_speaks_as_was_adopted_last_and_never_beyond_her_budgets() -> None:
    manner = dict.fromkeys(MANNER, 0.0)
    adopted = [
        event(n, day, Kind.ADOPTED, **manner | {"level_db": level_db}, day=day, similarity=0.9)
        for n, (day, level_db) in enumerate([(4, 0.5), (9, 99.0), (7, -0.5)])
    ]
    assert grown([]).spoken_day is None
    assert (grown(adopted, BIRTH_DAY + 8).spoken.level_db, grown(adopted).spoken_day) == (-0.5, 9)
    assert grown(adopted).spoken.level_db == BUDGETS["level_db"].life[1]


def test_a_refusal_is_a_return() -> None:
    ledger = [likes_her_at(1, n, n, "a") for n in range(20)]
    back = event("r", 20, Kind.RETURNED, day=BIRTH_DAY + 10)
    refused = event("r", 20, Kind.REFUSED, day=BIRTH_DAY + 10, similarity=0.4)
    assert grown([*ledger, refused]) == grown([*ledger, back]) != grown(ledger)


BAD = [
    (
        event(9, 3, Kind.DESIGNED, base="samantha", **voice_values(tract_octaves=1.0)),
        "bad_event",
        f"event e9 (designed): tract_octaves must be within {DESIGN['tract_octaves']:g} of 0, got 1.0",
    ),
    (
        replace(BORN, persona="eve"),
        "another_persona",
        'event born must be of persona "ada", got "eve"',
    ),
    (replace(BORN, values=(("seed", 8),)), "bad_event", "event born: her seed must be 7, got 8"),
    (
        replace(BORN, id="e1"),
        "bad_event",
        "event e1 must be one event, got two that differ",
    ),
    (
        event(9, 3, Kind.RETURNED, day=BIRTH_DAY + 3),
        "bad_event",
        "event e9: the day returned to must lie in 19999..20003, got 20003",
    ),
    (
        conversation(9, 3, "a", valence=float("nan")),
        "bad_event",
        "event e9 (conversation): valence must be a finite number, got nan",
    ),
    (
        conversation(9, 3, "a", seconds="long"),
        "bad_event",
        "event e9 (conversation): seconds must be a finite number, got 'long'",
    ),
    (
        conversation(9, 3, "a", seconds=10**400),
        "bad_event",
        f"event e9 (conversation): seconds must be a finite number, got {10**400}",
    ),
    (feedback(9, 3, "a", 2), "bad_event", "event e9 (feedback): liked must be 1 or -1, got 2"),
    (
        conversation(9, 3, "a", mood=1.0),
        "bad_event",
        "event e9 (conversation) must hold exactly, in this order: arousal, seconds, valence; "
        "got arousal, mood, seconds, valence",
    ),
    (
        event(9, 3, Kind.FORGOTTEN, "a", x=1.0),
        "bad_event",
        "event e9 (forgotten) must hold exactly, in this order: nothing; got x",
    ),
    (
        event(9, 3, Kind.NAMED, name=3.0),
        "bad_event",
        "event e9 (named): name must be text, got 3.0",
    ),
    (
        event(9, 3, Kind.RETURNED, day=20001.5),
        "bad_event",
        "event e9 (returned): day must be a whole number, got 20001.5",
    ),
    (
        replace(conversation(9, 3, "a"), at_s=float("inf")),
        "bad_event",
        "event e9: at_s must lie within 1000000000000 s of 1970, got inf",
    ),
    (
        replace(conversation(9, 3, "a"), kind="gossip"),
        "bad_event",
        "event e9 must be of a kind among born, designed, named, conversation, feedback, forgotten, "
        "upgraded, adopted, refused, returned, got 'gossip'",
    ),
]


@pytest.mark.parametrize(("bad", "code", "text"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_folded_is_refused_with_the_reason(bad: Event, code: str, text: str) -> None:
    good = [conversation(1, 1, "a"), feedback(2, 1, "a", 1), feedback(3, 1, "b", -1)]
    with pytest.raises(PersonaFileError) as caught:
        grown([*good, bad])
    assert (caught.value.code, str(caught.value)) == (code, text)


def test_a_ledger_has_one_birth() -> None:
    assert birth([BORN, BORN]) == born("ada", 7, BORN.at_s)
    for births in ([], [BORN, replace(BORN, id="twin")]):
        with pytest.raises(PersonaFileError) as caught:
            birth(births)
        assert caught.value.code == "no_birth"
