"""The C face: the same samples as Python's, and mistakes that are told and survived."""

import ctypes
import json
import math
import os
import re
import shutil
import subprocess
import wave
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from persona_voice import build
from persona_voice.path.offline import convert_array
from persona_voice.persona.persona import Delivery, load_persona
from persona_voice.persona.state import Manner

ROOT = Path(__file__).parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WEIGHTS = build.weights_folder() / "converter.safetensors"
HEADER = ROOT / "rust_core/c/include/persona_voice.h"
RATE = 16_000
OK, NULL, REFUSED = 0, -1, -2


class Status(ctypes.Structure):
    _fields_ = (
        ("input_db", ctypes.c_float),
        ("output_db", ctypes.c_float),
        ("f0_in_hz", ctypes.c_float),
        ("f0_out_hz", ctypes.c_float),
        ("non_finite", ctypes.c_uint64),
        ("speech", ctypes.c_int),
        ("failed", ctypes.c_int),
    )


@pytest.fixture(scope="session")
def folder() -> Path:
    if shutil.which("cargo") is None:
        pytest.skip("no cargo on this machine")
    command = ["cargo", "build", "--release", "-q", "-p", "persona_voice_c"]
    subprocess.run(command, cwd=ROOT, check=True)
    return TARGET / "release"


@pytest.fixture(scope="session")
def library(folder: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(folder / "libpersona_voice.so"))
    pointer = ctypes.c_void_p
    for name in ("pv_network_open", "pv_stream_open"):
        getattr(library, name).restype = pointer
    library.pv_network_open.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
    library.pv_stream_open.argtypes = (pointer, ctypes.c_uint32, ctypes.c_float, ctypes.c_float)
    library.pv_stream_latency.argtypes = (pointer,)
    library.pv_stream_latency.restype = ctypes.c_size_t
    library.pv_stream_process.argtypes = (pointer, pointer, pointer, ctypes.c_size_t)
    library.pv_stream_set_targets.argtypes = (pointer, ctypes.c_float, ctypes.c_float)
    library.pv_stream_set_manner.argtypes = (pointer, pointer)
    library.pv_stream_express.argtypes = (pointer, pointer, ctypes.c_float)
    library.pv_stream_set_delivery.argtypes = (pointer, pointer)
    library.pv_stream_stop.argtypes = (pointer, ctypes.c_float)
    library.pv_stream_status.argtypes = (pointer, ctypes.POINTER(Status))
    for name in ("pv_stream_resume", "pv_stream_reset", "pv_stream_close", "pv_network_close"):
        getattr(library, name).argtypes = (pointer,)
    library.pv_last_error.restype = ctypes.c_char_p
    return library


def speech() -> np.ndarray:
    t = np.arange(RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 130 * h * t) / h for h in range(1, 9)) * (np.sin(9 * t) > -0.5)
    noise = np.random.default_rng(4).standard_normal(RATE)
    return (0.1 * voice + 0.002 * noise).astype(np.float32)


def opened(library: ctypes.CDLL, mode: bytes = b"live") -> tuple[int, int]:
    persona = load_persona()
    network = library.pv_network_open(str(WEIGHTS).encode(), mode)
    assert network, library.pv_last_error()
    stream = library.pv_stream_open(network, RATE, persona.register_hz, persona.range)
    assert stream, library.pv_last_error()
    return network, stream


@pytest.mark.parametrize("mode", ["live", "studio"])
def test_it_gives_the_samples_that_python_gives(library: ctypes.CDLL, mode: str) -> None:
    network, stream = opened(library, mode.encode())
    # The stream keeps what it needs of the network.
    library.pv_network_close(network)
    python = build.open_stream(sample_rate=RATE, mode=mode)
    assert library.pv_stream_latency(stream) == python.latency_samples
    x = speech()
    for _ in range(2):
        y = x.copy()
        at = 0
        for n in (0, 1, 999, 160, len(x) - 1160):  # in place
            place = y.ctypes.data + 4 * at
            assert library.pv_stream_process(stream, place, place, n) == OK
            at += n
        assert np.array_equal(y, python.process(x))
        status = Status()
        assert library.pv_stream_status(stream, ctypes.byref(status)) == OK
        assert status.f0_in_hz == pytest.approx(python.status.f0_in_hz or 0.0)
        assert status.input_db == pytest.approx(python.status.input_db)
        assert not status.failed
        python.reset()
        assert library.pv_stream_reset(stream) == OK
    library.pv_stream_close(stream)


def in_c(of: Manner | Delivery) -> ctypes.Array[ctypes.c_float]:
    """A `pv_manner` or `pv_delivery`, its fields in the header's order."""
    name = f"pv_{type(of).__name__.lower()}"
    inside = HEADER.read_text().split(f"}} {name};")[0].split("typedef struct {")[-1]
    order = re.findall(r"float (\w+);", inside)
    values = asdict(of) | {"tract_octaves": 0.0}
    return (ctypes.c_float * len(order))(*(values[name] for name in order))


GROWN = Manner(register_semitones=-2.0, breath_db=4.0, tilt_db=-1.0)
MOOD = Manner(register_semitones=3.0, range_octaves=0.5, level_db=4.0, breath_db=-2.0, tilt_db=1.5)


def test_a_manner_and_a_mood_give_the_samples_that_python_gives(library: ctypes.CDLL) -> None:
    network, stream = opened(library)
    python = build.open_stream(sample_rate=RATE)
    x = speech()

    def said() -> np.ndarray:
        y = np.full_like(x, np.nan)
        code = library.pv_stream_process(stream, x.ctypes.data, y.ctypes.data, len(x))
        assert code == OK
        return y

    plain = said()
    assert np.array_equal(plain, python.process(x))
    assert library.pv_stream_set_manner(stream, in_c(GROWN)) == OK
    python.set_manner(GROWN)
    assert np.array_equal(said(), python.process(x))
    assert library.pv_stream_express(stream, in_c(MOOD), 50.0) == OK
    python.express(MOOD, half_life_s=0.5)
    assert np.array_equal(said(), python.process(x))
    # The manner outlasts a reset, the mood does not.
    assert library.pv_stream_reset(stream) == OK
    python.reset()
    grown = said()
    assert np.array_equal(grown, python.process(x))
    assert not np.array_equal(grown, plain)
    library.pv_stream_close(stream)
    library.pv_network_close(network)


def test_stopped_and_delivering_otherwise_it_gives_the_samples_that_python_gives(
    library: ctypes.CDLL,
) -> None:
    persona = load_persona()
    delivers = Delivery(dynamics=1.4, vibrato_semitones=0.6, jitter=0.01, onset_db=3.0)
    network, stream = opened(library)
    python = build.open_stream(replace(persona, delivery=delivers), RATE)
    # From the first hop on, as in Python.
    assert library.pv_stream_set_delivery(stream, in_c(delivers)) == OK
    assert library.pv_stream_reset(stream) == OK
    x = speech()

    def both(part: np.ndarray) -> np.ndarray:
        y = np.full_like(part, np.nan)
        assert library.pv_stream_process(stream, part.ctypes.data, y.ctypes.data, len(part)) == OK
        assert np.array_equal(y, python.process(part))
        return y

    delivered = both(x)
    assert not np.array_equal(delivered, build.open_stream(persona, RATE).process(x))
    assert library.pv_stream_stop(stream, 30.0) == OK
    python.stop(30.0)
    assert not both(x)[RATE * 30 // 1000 :].any()
    assert library.pv_stream_resume(stream) == OK
    python.resume()
    assert both(x)[python.latency_samples :].any()
    # A reset ends the stop, and not the delivery: silent, while it falls, and while it is to open.
    for heard, resumed in ((RATE, False), (RATE // 100, False), (RATE // 100, True)):
        assert library.pv_stream_stop(stream, 30.0) == OK
        python.stop(30.0)
        both(x[:heard])
        if resumed:
            assert library.pv_stream_resume(stream) == OK
            python.resume()
        assert library.pv_stream_reset(stream) == OK
        python.reset()
        assert np.array_equal(both(x), delivered)
    library.pv_stream_close(stream)
    library.pv_network_close(network)


def test_a_stream_that_refused_goes_on_as_if_it_had_not_been_asked(library: ctypes.CDLL) -> None:
    (network, asked), (other, left_alone) = opened(library), opened(library)
    told = []

    def refused(call: int, code: int) -> None:
        assert call == code
        told.append(library.pv_last_error().decode())

    x = speech()
    one, two = np.empty_like(x), np.empty_like(x)
    wide, half = in_c(Manner(tilt_db=6.5)), in_c(Manner())
    half[5] = math.nan
    for at in range(0, len(x), 400):
        place, room = x.ctypes.data + 4 * at, one.ctypes.data + 4 * at
        assert library.pv_stream_process(asked, place, room, 400) == OK
        refused(library.pv_stream_process(asked, place, None, 400), NULL)
        refused(library.pv_stream_set_targets(asked, 195.0, math.nan), REFUSED)
        refused(library.pv_stream_set_manner(asked, wide), REFUSED)
        refused(library.pv_stream_set_manner(asked, None), NULL)
        refused(library.pv_stream_express(asked, half, 1.0), REFUSED)
        refused(library.pv_stream_express(asked, in_c(MOOD), -1.0), REFUSED)
        refused(library.pv_stream_express(None, in_c(MOOD), 1.0), NULL)
        refused(library.pv_stream_set_delivery(asked, in_c(Delivery(dynamics=2.5))), REFUSED)
        refused(library.pv_stream_stop(asked, 81.0), REFUSED)
    assert told[:9] == [
        "in and out must not be NULL",
        "range must lie in 0..=3, got NaN",
        "tilt_db must lie in -6..=6, got 6.5",
        "manner must not be NULL",
        "tract_octaves must lie in -0.5..=0.5, got NaN",
        "half-life in hops must lie in 0..=1000000000, got -1",
        "stream must not be NULL",
        "dynamics must lie in 0..=2, got 2.5",
        "release_ms must lie in 10..=80, got 81",
    ]
    assert library.pv_stream_process(left_alone, x.ctypes.data, two.ctypes.data, len(x)) == OK
    assert np.array_equal(one, two)
    for each in (asked, left_alone):
        library.pv_stream_close(each)
    library.pv_network_close(network)
    library.pv_network_close(other)


def test_samples_that_are_not_finite_are_counted_and_taken_as_zeros(library: ctypes.CDLL) -> None:
    network, stream = opened(library)
    x = speech()
    x[[3, 700, 701]] = np.nan, np.inf, -np.inf
    y = np.empty_like(x)
    assert library.pv_stream_process(stream, x.ctypes.data, y.ctypes.data, len(x)) == OK
    assert np.array_equal(
        y, build.open_stream(sample_rate=RATE).process(np.nan_to_num(x, posinf=0, neginf=0))
    )
    status = Status()
    assert library.pv_stream_status(stream, ctypes.byref(status)) == OK
    assert (status.non_finite, status.failed) == (3, 0)
    library.pv_stream_close(stream)
    library.pv_network_close(network)


def test_mistakes_are_told(library: ctypes.CDLL, tmp_path: Path) -> None:
    def told() -> str:
        return str(library.pv_last_error().decode())

    assert not library.pv_network_open(None, b"live")
    assert told() == "path must not be NULL"
    assert not library.pv_network_open(str(WEIGHTS).encode(), b"loud")
    assert told() == "mode must be one of live, studio, got 'loud'"
    assert not library.pv_network_open(b"/nowhere", b"live")
    assert "cannot be read" in told()
    for name, damaged, text in (
        ("short", WEIGHTS.read_bytes()[:-7], "whole safetensors file"),
        ("text", b"not a tensor in here", "whole safetensors file"),
        (
            "old",
            WEIGHTS.read_bytes().replace(b"converter 2", b"converter 1"),
            "must have the format",
        ),
        ("inf", WEIGHTS.read_bytes()[:-2] + b"\x00\x7c", "finite numbers only"),
    ):
        (tmp_path / name).write_bytes(damaged)
        assert not library.pv_network_open(str(tmp_path / name).encode(), b"live")
        assert text in told()
    network, stream = opened(library)
    for rate in (0, 7999, 192_001, 2**32 - 1):
        assert not library.pv_stream_open(network, rate, 195.0, 1.0)
        assert told() == f"sample_rate in Hz must lie in 8000..=192000, got {rate}"
    assert not library.pv_stream_open(network, RATE, math.nan, 1.0)
    assert told() == "register_hz must lie in 60..=500, got NaN"
    assert not library.pv_stream_open(None, RATE, 195.0, 1.0)
    assert library.pv_stream_set_targets(stream, 5.0, 1.0) == REFUSED
    assert told() == "register_hz must lie in 60..=500, got 5"
    assert library.pv_stream_set_targets(stream, 210.0, 1.1) == OK
    assert library.pv_stream_process(stream, None, None, 5) == NULL
    assert library.pv_stream_process(None, None, None, 0) == NULL
    assert library.pv_stream_process(stream, None, None, 0) == OK
    # Where in and out are the same, a failure leaves silence and not the speaker.
    for failing in (lambda of: (None, of, of, 9), lambda of: (stream, None, of, 9)):
        dry = np.full(9, 0.25, np.float32)
        pointer = dry.ctypes.data
        assert library.pv_stream_process(*failing(pointer)) == NULL
        assert np.array_equal(dry, np.zeros(9, np.float32))
    assert library.pv_stream_status(stream, None) == NULL
    assert library.pv_stream_reset(None) == NULL
    assert library.pv_stream_latency(None) == 0
    library.pv_stream_close(None)
    library.pv_network_close(None)
    library.pv_stream_close(stream)
    library.pv_network_close(network)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_the_example_in_c_converts_a_file(folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "convert"
    command = [
        *("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", ROOT / "examples/convert.c"),
        *("-I", ROOT / "rust_core/c/include", "-L", folder, "-lpersona_voice", "-lm"),
        *("-o", program),
    ]
    subprocess.run(command, check=True)
    pcm = np.round(speech() * 32767).astype("<i2")
    with wave.open(str(tmp_path / "in.wav"), "wb") as file:
        file.setparams((1, 2, RATE, len(pcm), "NONE", ""))
        file.writeframes(pcm.tobytes())
    run = [program, WEIGHTS, tmp_path / "in.wav", tmp_path / "out.wav"]
    subprocess.run(run, env=os.environ | {"LD_LIBRARY_PATH": str(folder)}, check=True)
    with wave.open(str(tmp_path / "out.wav"), "rb") as file:
        assert (file.getframerate(), file.getnframes()) == (RATE, len(pcm))
        got = np.frombuffer(file.readframes(len(pcm)), "<i2") / 32767
    x = (pcm / 32768).astype(np.float32)
    expected = convert_array(build.open_stream(sample_rate=RATE), x)
    assert np.abs(got - expected).max() < 1e-4
    assert np.abs(expected).max() > 0.01
    wrong = subprocess.run(
        [program, tmp_path / "in.wav", tmp_path / "in.wav", tmp_path / "no.wav"],
        env=os.environ | {"LD_LIBRARY_PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 1
    assert "must be a whole safetensors file" in wrong.stderr


def up_transposed(config: dict, tensors: dict) -> None:
    name = "layers.0.up.weight"
    tensors[name] = np.ascontiguousarray(tensors[name].T)


def in_single_floats(config: dict, tensors: dict) -> None:
    tensors["norm.weight"] = tensors["norm.weight"].astype(np.float32)


def not_finite(config: dict, tensors: dict) -> None:
    tensors["heads.studio.bias"][5] = np.nan


def with_one_layer_less(config: dict, tensors: dict) -> None:
    del config["dilations"][-1]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (up_transposed, "must hold layers.0.up.weight of shape [480, 384], got [384, 480]"),
        (lambda _, tensors: tensors.pop("norm.weight"), "must hold norm.weight"),
        (lambda _, tensors: tensors.pop("heads.studio.bias"), "must hold heads.studio.bias"),
        (with_one_layer_less, "must hold no layers.9."),
        (in_single_floats, "must hold half floats, and norm.weight is F32"),
        (not_finite, "must hold finite numbers only; heads.studio.bias does not"),
    ],
)
def test_weights_of_another_network_are_refused(
    library: ctypes.CDLL, tmp_path: Path, damage: Callable[[dict, dict], None], said: str
) -> None:
    config, tensors = contents()
    damage(config, tensors)
    assert said in refusal(library, tmp_path, config, tensors)


@pytest.mark.parametrize(
    ("key", "wild", "said"),
    [
        ("dilations", [1, 2**63], "a dilation in frames must lie in 1..=1000, got 922337203685477"),
        ("dilations", [], "layers must lie in 1..=64, got 0"),
        ("dilations", [[1]], "a dilation must be a whole number, got [1]"),
        ("dilations", "12", "dilations must be a list of whole numbers"),
        ("channels", 4097, "channels must lie in 1..=4096, got 4097"),
        ("channels", True, "channels must be a whole number, got true"),
        ("hidden", 480.0, "hidden must be a whole number, got 480.0"),
        ("input_frames", "5", 'input_frames must be a whole number, got "5"'),
        ("live_lookahead", -960, "live_lookahead must be a whole number, got -960"),
        ("live_lookahead", 480, "lookahead in samples must lie in 720..=48000, got 480"),
        ("studio_lookahead", 48_240, "lookahead in samples must lie in 720..=48000, got 48240"),
        ("studio_lookahead", 1921, "a lookahead must be whole hops of 240 samples, got 1921"),
        ("activation", "relu", "it must hold exactly channels, hidden, input_frames, live_look"),
    ],
)
def test_a_network_that_cannot_be_is_refused(
    library: ctypes.CDLL, tmp_path: Path, key: str, wild: object, said: str
) -> None:
    config, tensors = contents()
    told = refusal(library, tmp_path, config | {key: wild}, tensors)
    assert f"must describe its network: {said}" in told


def contents() -> tuple[dict, dict[str, np.ndarray]]:
    """Of the weights: their network as they describe it, and the tensors."""
    with safe_open(str(WEIGHTS), framework="np") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return json.loads(opened.metadata()["config"]), tensors


def refusal(library: ctypes.CDLL, folder: Path, config: dict, tensors: dict) -> str:
    """What is told of weights with these contents."""
    file = folder / "w.safetensors"
    metadata = {"format": "persona-voice converter 2", "config": json.dumps(config)}
    save_file(tensors, str(file), metadata=metadata)
    assert not library.pv_network_open(str(file).encode(), b"live")
    return str(library.pv_last_error().decode())
