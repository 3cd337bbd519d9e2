"""F0 trackers, ours and others', each from a sound to what it says of which moment.

Each hears mono sound at 24 kHz and makes of it what it needs. What a tracker lacks to be run here is
told by `UnavailableError`.
"""

import ctypes
import ctypes.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benches.sources import UnavailableError, at_rate
from persona_voice._core import HOP, RATE, F0Tracker, F0Tracks
from training.contours import MAX_HZ, MIN_HZ, Floats, Samples

PEERS_RATE = 16_000
HOP_S = HOP / RATE


@dataclass(frozen=True)
class Answer:
    """`f0_hz` at `seconds`, 0 or not in `voiced` where unvoiced; of a stream, when it is told."""

    seconds: Floats
    f0_hz: Floats
    sure: Floats  # how sure it is that there is voice, or that it is right
    voiced: Floats | None = None  # where it says so itself, 0 or 1


@dataclass
class Tracker:
    """``track`` answers a whole sound; a stream in pieces of a hop, and tells what it knows by then."""

    name: str
    track: Callable[[Samples], Answer]
    streaming: bool = False
    licence: str = "ours"
    # Voiced from so sure on; None: the best on the clean sounds, which flatters it.
    threshold: float | None = 0.5
    slow: bool = False  # a millisecond or more a hop
    stated_ms: float | None = None
    cpu_us: list[float] = field(default_factory=list)


def ours(tracker: F0Tracker | F0Tracks, first: int, lookahead: int, of: str) -> Tracker:
    """That whose three numbers begin with number ``first`` of each frame."""

    def track(samples: Samples) -> Answer:
        tracker.reset()
        blocks = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
        frames = np.concatenate([tracker.process(block) for block in blocks]).astype(np.float64)
        told = np.arange(1, len(frames) + 1) * HOP_S
        return Answer(told, *frames[:, first : first + 3].T)

    stated_ms = 1000 * lookahead / RATE
    return Tracker(f"{of}, {stated_ms:g} ms", track, streaming=True, stated_ms=stated_ms)


def fast() -> Tracker:
    tracks = F0Tracks()
    return ours(tracks, 0, tracks.lookahead, "ours")


def late() -> Tracker:
    tracks = F0Tracks()
    return ours(tracks, 3, tracks.late_lookahead, "ours")


def on_the_path() -> Tracker:
    tracker = F0Tracker()
    return ours(tracker, 0, tracker.lookahead, "ours, path")


def aubio(method: str, window: int) -> Tracker:
    """By its C library: the wheel does not build here."""
    name = ctypes.util.find_library("aubio")
    if name is None:
        raise UnavailableError("no library aubio on this machine (Debian package libaubio5)")
    library = ctypes.CDLL(name)

    class Vector(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint), ("data", ctypes.POINTER(ctypes.c_float))]

    for function in ("new_aubio_pitch", "new_fvec"):
        getattr(library, function).restype = ctypes.c_void_p
    library.aubio_pitch_get_confidence.restype = ctypes.c_float
    library.aubio_pitch_get_confidence.argtypes = [ctypes.c_void_p]
    library.aubio_pitch_do.argtypes = [ctypes.c_void_p] * 3
    hop = PEERS_RATE // 100
    block, found = (ctypes.cast(library.new_fvec(n), ctypes.POINTER(Vector)) for n in (hop, 1))
    into = np.ctypeslib.as_array(block.contents.data, (hop,))

    def track(samples: Samples) -> Answer:
        made = ctypes.c_void_p(library.new_aubio_pitch(method.encode(), window, hop, PEERS_RATE))
        x = at_rate(samples, RATE, PEERS_RATE)
        told = []
        for start in range(0, len(x) - hop + 1, hop):
            into[:] = x[start : start + hop]
            library.aubio_pitch_do(made, block, found)
            told.append((found.contents.data[0], library.aubio_pitch_get_confidence(made)))
        f0, sure = np.array(told, np.float64).T
        return Answer(np.arange(1, len(f0) + 1) * HOP_S, f0, sure)

    return Tracker(
        f"aubio {method} {window}", track, streaming=True, licence="GPL-3", threshold=None
    )


def swift(*, stream: bool) -> Tracker:
    from swift_f0 import SwiftF0

    detector = SwiftF0(threads=1)
    push = PEERS_RATE * 16 // 1000

    def whole(samples: Samples) -> Answer:
        told = detector.detect(at_rate(samples, RATE, PEERS_RATE), PEERS_RATE, MIN_HZ, MAX_HZ)
        return Answer(told.timestamps, told.pitch_hz, told.confidence)

    def pushed(samples: Samples) -> Answer:
        x, live = at_rate(samples, RATE, PEERS_RATE), detector.stream(MIN_HZ, MAX_HZ)
        when, told = [], []
        for start in range(0, len(x) - push + 1, push):
            now = live.push(x[start : start + push], PEERS_RATE)
            told += list(zip(now.pitch_hz, now.confidence, strict=True))
            when += [(start + push) / PEERS_RATE] * len(now.pitch_hz)
        f0, sure = np.array(told, np.float64).reshape(-1, 2).T
        return Answer(np.array(when), f0, sure)

    if stream:
        return Tracker("SwiftF0 stream", pushed, streaming=True, licence="MIT", slow=True)
    return Tracker("SwiftF0", whole, licence="MIT")


def pesto() -> Tracker:
    import torch
    from pesto import load_model

    model = load_model("mir-1k_g7", 10.0, sampling_rate=PEERS_RATE).eval()

    def track(samples: Samples) -> Answer:
        with torch.inference_mode():
            x = torch.from_numpy(at_rate(samples, RATE, PEERS_RATE))
            f0, sure, *_ = model(x, convert_to_freq=True)
        return Answer(np.arange(f0.shape[-1]) * HOP_S, f0.double().numpy(), sure.double().numpy())

    return Tracker("PESTO mir-1k_g7", track, licence="LGPL-3", threshold=None, slow=True)


def fcpe() -> Tracker:
    import torch
    from torchfcpe import spawn_bundled_infer_model

    model = spawn_bundled_infer_model(device="cpu")

    def track(samples: Samples) -> Answer:
        x = torch.from_numpy(at_rate(samples, RATE, PEERS_RATE))[None, :, None]
        with torch.inference_mode():
            f0 = model.infer(x, sr=PEERS_RATE, decoder_mode="local_argmax", threshold=0.006)
        found = f0.double().numpy().reshape(-1)
        return Answer(np.arange(len(found)) * HOP_S, found, np.where(found > 0, 1.0, 0.0))

    return Tracker("FCPE", track, licence="MIT", slow=True)


def crepe() -> Tracker:
    import torch
    import torchcrepe

    def track(samples: Samples) -> Answer:
        x = torch.from_numpy(at_rate(samples, RATE, PEERS_RATE))[None]
        f0, sure = torchcrepe.predict(
            x, PEERS_RATE, 160, MIN_HZ, MAX_HZ, "tiny", batch_size=512, return_periodicity=True
        )
        return Answer(
            np.arange(f0.shape[-1]) * HOP_S, f0[0].double().numpy(), sure[0].double().numpy()
        )

    return Tracker("CREPE tiny", track, licence="MIT", threshold=None, slow=True)


def praat(method: str) -> Tracker:
    import parselmouth

    def track(samples: Samples) -> Answer:
        sound = parselmouth.Sound(samples.astype(np.float64), RATE)
        ask: Any = getattr(sound, f"to_pitch_{method}")
        pitch = ask(time_step=HOP_S, pitch_floor=MIN_HZ, pitch_ceiling=MAX_HZ)
        f0 = pitch.selected_array["frequency"]
        return Answer(np.asarray(pitch.xs()), f0, np.where(f0 > 0, 1.0, 0.0))

    return Tracker(f"Praat {method}", track, licence="GPL-3")


def world(method: str) -> Tracker:
    import pyworld

    def track(samples: Samples) -> Answer:
        x = samples.astype(np.float64)
        f0, times = getattr(pyworld, method)(x, RATE, MIN_HZ, MAX_HZ, frame_period=1000 * HOP_S)
        if method == "dio":
            f0 = pyworld.stonemask(x, f0, times, RATE)
        return Answer(times, f0, np.where(f0 > 0, 1.0, 0.0))

    title = {"harvest": "Harvest", "dio": "DIO + StoneMask"}[method]
    return Tracker(title, track, licence="BSD", slow=method == "harvest")


def pyin() -> Tracker:
    import librosa

    def track(samples: Samples) -> Answer:
        x = at_rate(samples, RATE, PEERS_RATE)
        f0, voiced, _ = librosa.pyin(
            x, fmin=MIN_HZ, fmax=MAX_HZ, sr=PEERS_RATE, frame_length=1024, hop_length=160
        )
        told = voiced.astype(np.float64)
        return Answer(np.arange(len(f0)) * HOP_S, np.nan_to_num(f0), told)

    return Tracker("pYIN", track, licence="ISC", slow=True)


MAKERS: tuple[Callable[[], Tracker], ...] = (
    fast,
    late,
    on_the_path,
    lambda: aubio("yinfast", 512),
    lambda: swift(stream=False),
    lambda: swift(stream=True),
    lambda: praat("ac"),
    lambda: praat("cc"),
    lambda: world("dio"),
    lambda: world("harvest"),
    fcpe,
    pesto,
    crepe,
    pyin,
)


def trackers(missing: dict[str, str]) -> Iterator[Tracker]:
    """Those that can be run here; why not, of the others."""
    for make in MAKERS:
        try:
            yield make()
        except UnavailableError as reason:
            missing["aubio"] = str(reason)
        except ImportError as reason:
            missing[str(reason.name)] = f"no module {reason.name}: {reason}"
