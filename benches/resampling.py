"""Resamplers of others as functions from a block to what came out of it."""

import ctypes
import ctypes.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from persona_voice._core import Resampler

Array = npt.NDArray[np.float32]
Step = Callable[[Array], Array]


@dataclass(frozen=True)
class Peer:
    """``make`` gives a new stream from ``input_rate`` to ``output_rate``.

    ``whole``: it knows no stream, and clicks where blocks meet.
    """

    name: str
    make: Callable[[int, int], Step]
    whole: bool = False


def ours_linear(input_rate: int, output_rate: int) -> Step:
    return Resampler(input_rate, output_rate).process


def ours_minimum(input_rate: int, output_rate: int) -> Step:
    return Resampler.minimum_phase(input_rate, output_rate).process


def soxr(quality: str) -> Callable[[int, int], Step]:
    import soxr

    return lambda a, b: soxr.ResampleStream(a, b, 1, "float32", quality).resample_chunk


def libsamplerate(converter: str) -> Callable[[int, int], Step]:
    import samplerate

    def make(input_rate: int, output_rate: int) -> Step:
        stream, ratio = samplerate.Resampler(converter, channels=1), output_rate / input_rate
        return lambda block: stream.process(block, ratio)

    return make


def speexdsp(quality: int) -> Callable[[int, int], Step]:
    """The C library, called with memory that is there: what a call costs more is ctypes'."""
    name = ctypes.util.find_library("speexdsp")
    if name is None:
        raise ImportError("no libspeexdsp (Debian package libspeexdsp1)")
    library: Any = ctypes.CDLL(name)
    library.speex_resampler_init.restype = ctypes.c_void_p
    run = library.speex_resampler_process_float

    def make(input_rate: int, output_rate: int) -> Step:
        error = ctypes.c_int()
        state = ctypes.c_void_p(
            library.speex_resampler_init(1, input_rate, output_rate, quality, ctypes.byref(error))
        )
        if not state:
            raise RuntimeError(f"speexdsp refuses quality {quality}: {error.value}")
        read, written = ctypes.c_uint32(), ctypes.c_uint32()
        counts = ctypes.byref(read), ctypes.byref(written)
        out = np.empty(2 * max(input_rate, output_rate), np.float32)
        room = ctypes.c_void_p(out.ctypes.data)

        def step(block: Array) -> Array:
            read.value, written.value = len(block), len(out)
            run(state, 0, ctypes.c_void_p(block.ctypes.data), counts[0], room, counts[1])
            return out[: written.value].copy()

        return step

    return make


def torchaudio(input_rate: int, output_rate: int) -> Step:
    import torch
    from torchaudio.transforms import Resample

    torch.set_num_threads(1)
    kernel = Resample(input_rate, output_rate)

    def step(block: Array) -> Array:
        with torch.no_grad():
            return np.asarray(kernel(torch.from_numpy(block)).numpy())

    return step


def scipy_poly(input_rate: int, output_rate: int) -> Step:
    import scipy.signal

    shared = int(np.gcd(input_rate, output_rate))
    up, down = output_rate // shared, input_rate // shared
    return lambda block: np.asarray(scipy.signal.resample_poly(block, up, down), np.float32)


OURS = (Peer("ours, linear", ours_linear), Peer("ours, minimum", ours_minimum))


def peers() -> tuple[list[Peer], dict[str, str]]:
    """Whoever is installed here, and why others are left out."""
    found: list[Peer] = []
    left_out = {"rubato": "left out: a Rust crate without a face for Python or C"}
    for name, make in (
        ("soxr HQ", lambda: soxr("HQ")),
        ("soxr VHQ", lambda: soxr("VHQ")),
        ("libsamplerate fastest", lambda: libsamplerate("sinc_fastest")),
        ("libsamplerate best", lambda: libsamplerate("sinc_best")),
        ("speexdsp q3", lambda: speexdsp(3)),
        ("speexdsp q5", lambda: speexdsp(5)),
        ("speexdsp q10", lambda: speexdsp(10)),
    ):
        try:
            found.append(Peer(name, make()))
        except ImportError as error:
            left_out[name] = f"left out: {error}"
    try:
        torchaudio(2, 1)
        found.append(Peer("torchaudio", torchaudio, whole=True))
    except ImportError as error:
        left_out["torchaudio"] = f"left out: {error}"
    found.append(Peer("scipy resample_poly", scipy_poly, whole=True))
    return found, left_out
