"""What moves F0: ours and its peers, live or over the whole clip, all at 48 kHz.

A live one is started at a shift and stepped with blocks; a whole one has the clip at once. Those under the
GPL are called, as programs or modules of this bench only.
"""

import ctypes
import ctypes.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches.sources import STREAM_RATE
from persona_voice import _core

Samples = npt.NDArray[np.float32]
Step = Callable[[Samples], Samples]
# Of what is voiced, for those that ask.
FLOOR_HZ, CEILING_HZ = 60.0, 600.0

# rubberband-c.h: real time, one thread, formants kept, R3; the short window halves its latency.
RUBBERBAND = 0x00000001 | 0x00010000 | 0x01000000 | 0x20000000
SHORT_WINDOW = 0x00100000

SOUNDTOUCH = r"""
#include <soundtouch/SoundTouch.h>
using soundtouch::SoundTouch;
extern "C" {
void *start(int rate, double semitones) {
    auto *s = new SoundTouch;
    s->setSampleRate(rate); s->setChannels(1); s->setPitchSemiTones(semitones);
    return s;
}
int step(void *s, const float *x, int n, float *y, int room) {
    auto *t = static_cast<SoundTouch *>(s);
    t->putSamples(x, n);
    return t->receiveSamples(y, room);
}
void stop(void *s) { delete static_cast<SoundTouch *>(s); }
}
"""


class UnavailableError(Exception):
    """A peer cannot run here; the message says why."""


@dataclass(frozen=True)
class Shifting:
    """A contender. ``live`` gives a step for a shift in semitones, ``whole`` shifts a clip."""

    name: str
    licence: str
    formants: bool  # whether it means to keep them
    live: Callable[[float], Step] | None = None
    whole: Callable[[Samples, float], Samples] | None = None


def ours() -> Shifting:
    def start(semitones: float) -> Step:
        shifter = _core.Shifter(STREAM_RATE)
        shifter.set_shift(semitones, 0.0)
        shifter.reset()  # it is reached
        return shifter.process

    return Shifting("ours", "Apache-2.0", True, live=start)


def rubberband(title: str, options: int) -> Shifting:
    name = ctypes.util.find_library("rubberband")
    if name is None:
        raise UnavailableError("no library rubberband (Debian package librubberband2)")
    library = ctypes.CDLL(name)
    library.rubberband_new.restype = ctypes.c_void_p
    pointer, number = ctypes.POINTER(ctypes.c_float), ctypes.c_uint
    library.rubberband_new.argtypes = [number, number, ctypes.c_int, *[ctypes.c_double] * 2]
    library.rubberband_process.argtypes = [
        ctypes.c_void_p, ctypes.POINTER(pointer), number, ctypes.c_int,
    ]  # fmt: skip
    library.rubberband_available.argtypes = [ctypes.c_void_p]
    library.rubberband_retrieve.argtypes = [ctypes.c_void_p, ctypes.POINTER(pointer), number]
    library.rubberband_retrieve.restype = number

    def start(semitones: float) -> Step:
        # A state for each clip is never given back: its sound is short, and the process ends.
        state = library.rubberband_new(STREAM_RATE, 1, options, 1.0, 2 ** (semitones / 12))

        def step(block: Samples) -> Samples:
            given = (pointer * 1)(block.ctypes.data_as(pointer))
            library.rubberband_process(state, given, len(block), 0)
            out = np.empty(max(library.rubberband_available(state), 0), np.float32)
            taken = (pointer * 1)(out.ctypes.data_as(pointer))
            return out[: library.rubberband_retrieve(state, taken, len(out))]

        return step

    return Shifting(title, "GPL-2", True, live=start)


def soundtouch() -> Shifting:
    compiler = shutil.which("g++")
    if compiler is None:
        raise UnavailableError("no g++, which SoundTouch's face for C is made with")
    folder = Path(tempfile.mkdtemp())
    (folder / "face.cpp").write_text(SOUNDTOUCH, encoding="utf-8")
    source, face = str(folder / "face.cpp"), str(folder / "face.so")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", face, source, "-lSoundTouch"]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        raise UnavailableError("no library SoundTouch (Debian package libsoundtouch-dev)")
    library = ctypes.CDLL(face)
    library.start.restype = ctypes.c_void_p
    library.start.argtypes = [ctypes.c_int, ctypes.c_double]
    address, number = ctypes.c_void_p, ctypes.c_int
    library.step.argtypes = [address, address, number, address, number]

    def start(semitones: float) -> Step:
        state = library.start(STREAM_RATE, semitones)
        out = np.empty(STREAM_RATE, np.float32)

        def step(block: Samples) -> Samples:
            got = library.step(state, block.ctypes.data, len(block), out.ctypes.data, len(out))
            return out[:got].copy()

        return step

    return Shifting("SoundTouch", "LGPL-2.1", False, live=start)


def signalsmith() -> Shifting:
    try:
        from python_stretch.Signalsmith import Stretch
    except ImportError:
        raise UnavailableError("no package python-stretch") from None

    def shift(x: Samples, semitones: float) -> Samples:
        # Each call is a sound of its own to this face of the library: blocks would click at their seams.
        stretch = Stretch(1)
        stretch.preset(1, float(STREAM_RATE))
        stretch.setTransposeSemitones(semitones)
        return np.asarray(stretch.process(x[None, :]), np.float32)[0]

    return Shifting("Signalsmith (python-stretch)", "MIT", False, whole=shift)


def pedalboard() -> Shifting:
    try:
        from pedalboard import PitchShift
    except ImportError:
        raise UnavailableError("no package pedalboard") from None

    def shift(x: Samples, semitones: float) -> Samples:
        return np.asarray(PitchShift(semitones)(x, STREAM_RATE), np.float32)

    return Shifting("pedalboard", "GPL-3", False, whole=shift)


def praat() -> Shifting:
    try:
        import parselmouth
        from parselmouth.praat import call
    except ImportError:
        raise UnavailableError("no package praat-parselmouth") from None

    def shift(x: Samples, semitones: float) -> Samples:
        sound = parselmouth.Sound(x.astype(np.float64), STREAM_RATE)
        manipulation = call(sound, "To Manipulation", 0.005, FLOOR_HZ, CEILING_HZ)
        tier = call(manipulation, "Extract pitch tier")
        call(tier, "Multiply frequencies", 0, len(x) / STREAM_RATE, 2 ** (semitones / 12))
        call([tier, manipulation], "Replace pitch tier")
        made = call(manipulation, "Get resynthesis (overlap-add)")
        return np.asarray(made.values[0], np.float32)

    return Shifting("Praat", "GPL-3", True, whole=shift)


def world() -> Shifting:
    import pyworld

    def shift(samples: Samples, semitones: float) -> Samples:
        x = samples.astype(np.float64)
        f0, t = pyworld.harvest(x, STREAM_RATE, f0_floor=FLOOR_HZ, f0_ceil=CEILING_HZ)
        envelope = pyworld.cheaptrick(x, f0, t, STREAM_RATE)
        noise = pyworld.d4c(x, f0, t, STREAM_RATE)
        moved = f0 * 2 ** (semitones / 12)
        made = pyworld.synthesize(moved, envelope, noise, STREAM_RATE)
        return np.asarray(made, np.float32)

    return Shifting("WORLD", "BSD", True, whole=shift)


def contenders() -> tuple[list[Shifting], dict[str, str]]:
    """Ours first; and for each peer that is missing, why."""
    makers = {
        "ours": ours,
        "Rubber Band R3": lambda: rubberband("Rubber Band R3 live", RUBBERBAND),
        "Rubber Band R3 short": lambda: rubberband(
            "Rubber Band R3 live, short", RUBBERBAND | SHORT_WINDOW
        ),
        "Signalsmith": signalsmith,
        "SoundTouch": soundtouch,
        "pedalboard": pedalboard,
        "WORLD": world,
        "Praat": praat,
    }
    found: list[Shifting] = []
    skipped: dict[str, str] = {}
    for name, make in makers.items():
        try:
            found.append(make())
        except UnavailableError as reason:
            skipped[name] = str(reason)
    return found, skipped
