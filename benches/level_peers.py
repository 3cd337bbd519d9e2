"""Loudness meters, limiters and automatic gains of others for the bench `level`, each as a step.

A step takes a block of 10 ms, float32, and gives an array. What is not installed says so when it is made:
`MissingError`, with the reason.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Step = Callable[[Array], Array]

# ebur128.h of 1.2.6
EBUR128_M, EBUR128_S, EBUR128_TRUE_PEAK = 1, 2 | 1, 32 | 16 | 1
# speex_preprocess.h of 1.2
SPEEX_DENOISE, SPEEX_AGC, SPEEX_AGC_LEVEL = 0, 2, 6
# What the level of 8000 is in full scales: that of the header's example.
SPEEX_LEVEL = 8000.0
FULL_SCALE = 32_768.0


class MissingError(Exception):
    """A peer that is not here."""


def _library(name: str, package: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise MissingError(f"left out: no {name} here (Debian: {package})") from error


def libebur128(sample_rate: int, *, momentary_alone: bool = False) -> Step:
    """Momentary, short-term and true peak of each block, asked for after each; or the first alone."""
    library = _library("libebur128.so.1", "libebur128-1")
    library.ebur128_init.restype = ctypes.c_void_p
    library.ebur128_init.argtypes = [ctypes.c_uint, ctypes.c_ulong, ctypes.c_int]
    state = ctypes.c_void_p(
        library.ebur128_init(
            1, sample_rate, EBUR128_M if momentary_alone else EBUR128_S | EBUR128_TRUE_PEAK
        )
    )
    answers = [ctypes.c_double() for _ in range(3)]
    places = [ctypes.byref(of) for of in answers]
    add, momentary = library.ebur128_add_frames_float, library.ebur128_loudness_momentary
    short_term, peak = library.ebur128_loudness_shortterm, library.ebur128_prev_true_peak
    add.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]

    def step(block: Array) -> Array:
        add(state, block.ctypes.data, len(block))
        momentary(state, places[0])
        if not momentary_alone:
            short_term(state, places[1])
            peak(state, 0, places[2])
        return np.array([of.value for of in answers], np.float32)

    return step


def in_decibels(frames: Array) -> Array:
    """What `libebur128` answers, its peaks in dBTP and its floor that of ours."""
    frames = frames.copy()
    frames[:, 2] = 20 * np.log10(np.maximum(frames[:, 2], 1e-6))
    return np.maximum(frames, np.float32(-120))


def pedalboard_limiter(sample_rate: int, kind: str) -> Step:
    """``Limiter`` or ``BrickwallLimiter``, to -1 dBFS."""
    try:
        import pedalboard
    except ImportError as error:
        raise MissingError("left out: no pedalboard here (pip install pedalboard)") from error
    if kind == "Limiter":
        plugin: Any = pedalboard.Limiter(threshold_db=-1.0)
    elif hasattr(pedalboard, kind):
        plugin = getattr(pedalboard, kind)()
    else:
        raise MissingError(f"left out: this pedalboard has no {kind}")

    def step(block: Array) -> Array:
        answer: Array = plugin.process(block[None], sample_rate, reset=False)
        out = np.zeros(len(block), np.float32)  # it holds its latency back
        out[len(out) - answer.shape[1] :] = answer[0]
        return out

    return step


def speex_agc() -> Step:
    """libspeexdsp's, of 16 kHz, without its noise suppression."""
    library = _library("libspeexdsp.so.1", "libspeexdsp1")
    library.speex_preprocess_state_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.speex_preprocess_state_init(160, 16_000))
    library.speex_preprocess_ctl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    settings: list[tuple[int, Any]] = [
        (SPEEX_DENOISE, ctypes.c_int(0)),
        (SPEEX_AGC, ctypes.c_int(1)),
        (SPEEX_AGC_LEVEL, ctypes.c_float(SPEEX_LEVEL)),
    ]
    for what, value in settings:
        library.speex_preprocess_ctl(state, what, ctypes.byref(value))
    run = library.speex_preprocess_run
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p]

    def step(block: Array) -> Array:
        whole = in_16_bits(block)
        run(state, whole.ctypes.data)
        return whole.astype(np.float32) / np.float32(FULL_SCALE)

    return step


def webrtc_agc() -> Step:
    """WebRTC's adaptive digital gain, of 16 kHz, as the package webrtc-noise-gain has it: its high pass
    is always on, its noise suppression is off."""
    try:
        import webrtc_noise_gain
    except ImportError as error:
        why = "left out: no webrtc-noise-gain here (pip install webrtc-noise-gain)"
        raise MissingError(why) from error
    processor = webrtc_noise_gain.AudioProcessor(WEBRTC_TARGET, 0)

    def step(block: Array) -> Array:
        answer = processor.Process10ms(in_16_bits(block).tobytes()).audio
        return np.frombuffer(answer, np.int16).astype(np.float32) / np.float32(FULL_SCALE)

    return step


# Its number for how far below full scale it aims, 0 to 31.
WEBRTC_TARGET = 15


def in_16_bits(block: Array) -> npt.NDArray[np.int16]:
    return np.clip(np.round(block * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
