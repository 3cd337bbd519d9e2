"""Whatever comes through a door of the core is taken or refused in words: no panic, no number that is none.

Seeded. A class, method or property of `persona_voice._core` that is not in `DOORS` fails the first test.
"""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from persona_voice import _core
from persona_voice.errors import SettingError

CALLS = 250  # of each class, on a few objects
Random = np.random.Generator
Make = Callable[[Random], Any]

# What a wrong argument may raise: ours, and what Python says of wrong types and too large integers.
REFUSALS = (SettingError, TypeError, ValueError, OverflowError)
DTYPES = ("f4", "f2", "f8", ">f4", "i1", "i2", "i4", "i8", "u1", "?", "c8", "O", "U3", "M8[s]")
LENGTHS = (0, 1, 2, 7, 79, 80, 160, 239, 240, 241, 480, 1000, 2500)
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, 7.9, 10.0, 80.0, 200.0, 1e-45, 1e38, -1e300, np.nan, np.inf)
INTEGERS = (-(2**63), -1, 0, 1, 2, 80, 240, 720, 960, 7999, 8000, 24_000, 44_100, 192_001, 2**31)
INTEGERS += (2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**200)
NO_NUMBERS: tuple[Any, ...] = (None, "x", b"x", [], {}, 1j, True, object(), np.float32(3), [1.0])


def samples(rng: Random, shape: tuple[int, ...]) -> Any:
    """float32 of any size and kind."""
    x = rng.standard_normal(shape).astype(np.float32)
    match rng.integers(9):
        case 0:
            x[...] = 0
        case 1:
            x *= np.float32(1e-42)  # denormal
        case 2:
            x[...] = np.float32(3.4e38) * np.sign(x)
        case 3:
            x[rng.random(shape) < 0.1] = np.nan
        case 4:
            x[rng.random(shape) < 0.1] = -np.inf
        case 5:
            x.view(np.uint32)[...] = rng.integers(0, 2**32, shape, np.uint32)  # any bits
        case _:
            x *= np.float32(0.1)
    return x


def strange(rng: Random, x: Any) -> Any:
    """The same numbers, or some of them, lying otherwise in memory; or something else."""
    match rng.integers(12):
        case 0:
            return x[..., ::2]
        case 1:
            return x[..., ::-1]
        case 2:
            return np.asfortranarray(x)
        case 3:
            return np.broadcast_to(np.float32(0.5), x.shape)  # strides of 0
        case 4:
            raw = np.zeros(x.nbytes + 1, np.uint8)
            return raw[1:].view(np.float32).reshape(x.shape)  # not aligned
        case 5:
            with np.errstate(all="ignore"):
                return x.astype(str(rng.choice(DTYPES[:8])))
        case 6:
            return np.zeros(x.shape, str(rng.choice(DTYPES)))
        case 7:
            x.flags.writeable = False
            return x
        case 8:
            return np.ma.masked_array(x, mask=False)
        case 9:
            return memoryview(x) if x.size else x.tolist()
        case 10:
            return x[None] if rng.random() < 0.5 else x.reshape(-1)
        case _:
            return NO_NUMBERS[rng.integers(len(NO_NUMBERS))]


def block(rng: Random) -> Any:
    return perhaps_strange(rng, samples(rng, (int(rng.choice(LENGTHS)),)))


def frames(*widths: int) -> Make:
    def make(rng: Random) -> Any:
        width = int(rng.choice([*widths, *widths, *widths, 0, 1]))
        return perhaps_strange(rng, samples(rng, (int(rng.integers(0, 6)), width)))

    return make


def rows(count: int) -> Make:
    def make(rng: Random) -> Any:
        of = int(rng.choice([count, count, count, count - 1, 0]))
        return perhaps_strange(rng, samples(rng, (of, int(rng.choice(LENGTHS)))))

    return make


def perhaps_strange(rng: Random, x: Any) -> Any:
    return strange(rng, x) if rng.random() < 0.5 else x


def real(*good: float) -> Make:
    def make(rng: Random) -> Any:
        pool = (*good, *good, *NUMBERS, *NO_NUMBERS)
        return pool[rng.integers(len(pool))]

    return make


def integer(*good: int) -> Make:
    def make(rng: Random) -> Any:
        pool = (*good, *good, *INTEGERS, *NO_NUMBERS)
        return pool[rng.integers(len(pool))]

    return make


def flag(rng: Random) -> Any:
    return [True, False, None, 1, "yes"][rng.integers(5)]


def manner(rng: Random) -> Any:
    if rng.random() < 0.3:
        return [None, (1.0,), (0.0,) * 7, "manner", [0.1] * 6][rng.integers(5)]
    return tuple(float(rng.choice(NUMBERS)) for _ in range(6))


def delivery(rng: Random) -> Any:
    if rng.random() < 0.3:
        return [None, (1.0,), (0.0,) * 5, "delivery"][rng.integers(4)]
    return tuple(float(rng.choice(NUMBERS)) for _ in range(4))


def network(**wrong: Any) -> _core.Network:
    rng = np.random.default_rng(3)
    channels, hidden, layers = 4, 4, 2
    lengths = {"enter.weight": channels * 80, "enter.bias": channels, "norm.weight": channels}
    lengths |= {"head.weight": 160 * channels, "head.bias": 160}
    for n in range(layers):
        lengths |= {
            f"layers.{n}.norm.weight": channels,
            f"layers.{n}.up.weight": hidden * 2 * channels,
            f"layers.{n}.up.bias": hidden,
            f"layers.{n}.down.weight": channels * hidden,
            f"layers.{n}.down.bias": channels,
        }
    tensors = {
        name: (0.1 * rng.standard_normal(n)).astype(np.float32) for name, n in lengths.items()
    }
    settings: dict[str, Any] = {"channels": channels, "hidden": hidden, "input_frames": 1}
    settings |= {"dilations": [1, 2], "late": 1, "tensors": tensors}
    return _core.Network(**(settings | wrong))


def any_network(rng: Random) -> _core.Network:
    what = ("channels", "hidden", "input_frames", "late", "dilations", "tensors")[rng.integers(6)]
    number = integer(1, 2, 3)
    value: Any = number(rng)
    if what == "dilations":
        value = [number(rng) for _ in range(int(rng.integers(4)))]
    elif what == "tensors":
        value = {"enter.weight": block(rng), "head.bias": block(rng)}
    return network(**{what: value})


def path(**other: Any) -> _core.Path:
    settings: dict[str, Any] = {"sample_rate": 24_000, "lookahead": 960, "register_hz": 200.0}
    return _core.Path(**(settings | {"range": 1.0, "seed": 7} | other))


def any_path(rng: Random) -> _core.Path:
    what = ("sample_rate", "lookahead", "register_hz", "range", "seed")[rng.integers(5)]
    whole = what in ("sample_rate", "lookahead", "seed")
    return path(**{what: (integer(48_000) if whole else real(100.0))(rng)})


def convert(rng: Random) -> Any:
    """A network, a callable that answers well or badly, or neither."""

    def badly(frames: Any) -> Any:
        match rng.integers(5):
            case 0:
                raise RuntimeError("broken")
            case 1:
                return samples(rng, (len(frames), 160))
            case 2:
                return samples(rng, (len(frames) + 1, 160))
            case 3:
                return None
            case _:
                return strange(rng, samples(rng, (len(frames), 160)))

    return [network(), badly, badly, None, _core.Vad()][rng.integers(5)]


def make_of(width: int) -> Make:
    def make(rng: Random) -> Any:
        return lambda heard: strange(rng, samples(rng, (len(heard), width)))

    return make


def joined(batch: Any, paths: int = 2) -> Any:
    for _ in range(paths):
        batch.join(path())
    return batch


SLOT = integer(0, 1, 2)
STAGE = {"process": (block,), "flush": (), "reset": (), "clone": ()}
STAGE |= {name: None for name in ("latency", "input_rate", "output_rate")}
ANALYZER = {"process": (block,), "reset": (), "clone": ()}
ANALYZER |= {name: None for name in ("width", "hop", "window", "lookahead")}
PARTS = {"reset": (), "clone": ()}
OF_SLOTS = {
    "join": (lambda rng: [path(), path(sample_rate=8_000), None][rng.integers(3)],),
    "leave": (SLOT,),
    "set_manner": (SLOT, manner),
    "express": (SLOT, manner, real(0.0, 100.0)),
    "status": (SLOT,),
}
TARGETS = (real(100.0, 200.0), real(1.0))

# Of each class: one that is good, one of any arguments, and its doors; None for a property.
DOORS: dict[str, tuple[Callable[[], Any], Make, dict[str, tuple[Make, ...] | None]]] = {
    "Resampler": (
        lambda: _core.Resampler(48_000, 24_000),
        lambda rng: _core.Resampler(integer(8_000, 44_100)(rng), integer(24_000, 11_027)(rng)),
        STAGE | {"minimum_phase": (integer(8_000, 44_100), integer(24_000, 11_027))},
    ),
    "Shifter": (
        lambda: _core.Shifter(48_000),
        lambda rng: _core.Shifter(integer(16_000, 96_000)(rng)),
        STAGE | {"set_shift": (real(4.0, -12.0), real(0.1))},
    ),
    "Envelopes": (
        _core.Envelopes,
        lambda rng: _core.Envelopes(),
        PARTS | {"process": (frames(241),), "lookahead": None, "width": None},
    ),
    "Drift": (
        _core.Drift,
        lambda rng: _core.Drift(),
        PARTS
        | {"process": (block,), "flush": (), "latency": None}
        | {"set_ppm": (real(100.0, -500.0),), "ppm": None, "output_len": (integer(0, 480),)},
    ),
    "Limiter": (
        lambda: _core.Limiter(24_000, -6.0),
        lambda rng: _core.Limiter(integer(8_000, 192_000)(rng), real(-1.0)(rng)),
        STAGE,
    ),
    "Leveller": (
        lambda: _core.Leveller(24_000, -20.0),
        lambda rng: _core.Leveller(integer(8_000, 48_000)(rng), real(-30.0)(rng)),
        STAGE | {"set_speech": (flag,), "gain_db": None},
    ),
    "Fade": (
        lambda: _core.Fade(24_000),
        lambda rng: _core.Fade(integer(8_000, 192_000)(rng)),
        STAGE
        | {"close": (real(10.0, 80.0),), "resume": (integer(0, 100),)}
        | {"open": None, "silent": None, "idle": None},
    ),
    "LogMel": (_core.LogMel, lambda rng: _core.LogMel(), ANALYZER),
    "Vad": (_core.Vad, lambda rng: _core.Vad(integer(8_000, 44_100)(rng)), ANALYZER),
    "F0Tracker": (_core.F0Tracker, lambda rng: _core.F0Tracker(), ANALYZER),
    "F0Tracks": (
        _core.F0Tracks,
        lambda rng: _core.F0Tracks(),
        ANALYZER | {"late_lookahead": None},
    ),
    "F0Evidence": (_core.F0Evidence, lambda rng: _core.F0Evidence(), ANALYZER),
    "Loudness": (_core.Loudness, lambda rng: _core.Loudness(), ANALYZER),
    "Meter": (
        lambda: _core.Meter(48_000),
        lambda rng: _core.Meter(integer(8_000, 44_100)(rng)),
        ANALYZER,
    ),
    "Network": (
        network,
        any_network,
        PARTS | {"process": (frames(80),), "late_by": (integer(0, 3, 200),)},
    ),
    "Articulation": (
        _core.Articulation,
        lambda rng: _core.Articulation(),
        PARTS | {"process": (frames(80), frames(160))},
    ),
    "Prosody": (
        lambda: _core.Prosody(200.0, 1.0),
        lambda rng: _core.Prosody(*(make(rng) for make in TARGETS)),
        PARTS
        | {"process": (frames(4),), "set_targets": TARGETS}
        | {"set_delivery": (delivery,), "level_db": None},
    ),
    "Vocoder": (
        lambda: _core.Vocoder(3),
        lambda rng: _core.Vocoder(integer(7)(rng)),
        PARTS | {"process": (frames(161),), "latency": None, "width": None},
    ),
    "Path": (
        path,
        any_path,
        PARTS
        | {"process": (block, convert), "set_targets": TARGETS, "set_manner": (manner,)}
        | {"set_delivery": (delivery,)}
        | {"express": (manner, real(0.0, 100.0)), "latency": None, "status": None},
    ),
    "Batch": (
        lambda: joined(_core.Batch(network(), sample_rate=24_000, slots=3)),
        lambda rng: _core.Batch(
            network(), sample_rate=integer(24_000)(rng), slots=few(integer(1, 3)(rng))
        ),
        OF_SLOTS
        | {"process": (rows(3),), "set_targets": (SLOT, *TARGETS), "clone": (), "slots": None},
    ),
    "Ends": (
        lambda: joined(_core.Ends(sample_rate=24_000, slots=3)),
        lambda rng: _core.Ends(sample_rate=integer(24_000)(rng), slots=few(integer(1, 3)(rng))),
        OF_SLOTS | {"process": (rows(3), make_of(241))},
    ),
}
CONSTANTS = {"RATE", "HOP", "build_profile"}


def few(slots: Any) -> Any:
    """Thousands are allowed, and take their memory."""
    return 3 if isinstance(slots, int) and 100 < slots <= 5000 else slots


def public(of: Any) -> set[str]:
    return {name for name in vars(of) if not name.startswith("_")}


def test_every_door_is_in_the_list() -> None:
    assert public(_core) == {*DOORS, *CONSTANTS}
    for name, (_, _, doors) in DOORS.items():
        assert public(getattr(_core, name)) == set(doors), name


def numbers(answer: Any) -> Iterator[Any]:
    match answer:
        case np.ndarray():
            yield answer
        case float():
            yield np.float64(answer)
        case tuple():
            for part in answer:
                yield from numbers(part)


def use(rng: Random, of: Any, doors: dict[str, tuple[Make, ...] | None]) -> bool:
    """Goes through one door; whether it was let in."""
    name = list(doors)[rng.integers(len(doors))]
    makes = doors[name]
    if makes is None:
        answer = getattr(of, name)
    else:
        try:
            answer = getattr(of, name)(*(make(rng) for make in makes))
        except REFUSALS:
            return False
    if not isinstance(of, _core.Articulation):  # of a converter's answers; the path looks at those
        for found in numbers(answer):
            assert np.isfinite(found).all(), name
    return True


@pytest.mark.parametrize("name", DOORS)
def test_whatever_comes_is_taken_or_refused(name: str) -> None:
    good, any_one, doors = DOORS[name]
    rng = np.random.default_rng([17, *name.encode()])
    let_in = 0
    for _ in range(5):
        of = good()
        for _ in range(CALLS // 5):
            let_in += use(rng, of, doors)
    assert let_in > CALLS / 10, "hardly anything was let in"
    made = 0
    for _ in range(CALLS // 2):
        try:
            of = any_one(rng)
        except REFUSALS:
            continue
        made += 1
        for _ in range(4):
            use(rng, of, doors)
    assert made > 0, "none was ever made"
    gc.collect()


class Panics:
    """The mutant: what a panic of the core looks like, and what is no number."""

    class PanicError(BaseException):
        """As PyO3's PanicException, which is no Exception."""

    def process(self, block: Any) -> Any:
        raise self.PanicError("index out of bounds")

    def answer(self) -> Any:
        return np.array([np.nan], np.float32)


def test_a_panic_and_a_nan_are_caught() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(Panics.PanicError):
        use(rng, Panics(), {"process": (block,)})
    with pytest.raises(AssertionError):
        use(rng, Panics(), {"answer": ()})
