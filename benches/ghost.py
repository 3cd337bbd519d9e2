"""Ghost speech: what comes out while nobody speaks and the room is not silent.

A recording, so that the stream knows a speaker, then a minute of the room's noise. It is a ghost where
WebRTC's detector hears speech in what comes out, no further below her own speech than `FAINT_DB`.
"""

import numpy as np

from benches.conditions import active_power, coloured
from benches.report import Result
from benches.sources import STREAM_RATE, Samples
from benches.streaming import StreamSettings, blocks_of, run

SECONDS = 60
# The room, against what was spoken in it.
ROOM_DB = -30.0
ROOMS = {"pink": -3.0, "brown": -6.0}
# Whoever spoke has ended, and what of it is still on its way has come out.
SETTLED_S = 1.0
FAINT_DB = 50.0
PIECE = STREAM_RATE * 30 // 1000  # what the detector hears at once
STRICTEST = 3
SEED = 20261129


def ghosts(settings: StreamSettings, speech: Samples) -> Result:
    """For each kind of room: seconds of ghosts, and levels against her own speech in dB."""
    rng = np.random.default_rng(SEED)
    level = np.sqrt(active_power(speech)) * 10 ** (ROOM_DB / 20)
    found: Result = {}
    for name, octave_db in ROOMS.items():
        room = np.float32(level) * coloured(SECONDS * STREAM_RATE, octave_db, rng)
        done = run(settings.open(), np.concatenate([speech, room]))
        spoken, ghost = done.trimmed[: len(speech)], done.trimmed[len(speech) :]
        found[name] = heard(ghost[round(SETTLED_S * STREAM_RATE) :], active_power(spoken))
    return found


def heard(output: Samples, spoken_power: float) -> Result:
    import webrtcvad

    pieces = blocks_of(output[: len(output) // PIECE * PIECE], PIECE)
    levels = [
        10 * np.log10((piece.astype(np.float64) ** 2).mean() / spoken_power + 1e-15)
        for piece in pieces
    ]
    detector = webrtcvad.Vad(STRICTEST)
    flags = [
        detector.is_speech((np.clip(piece, -1, 1) * 32767).astype("<i2").tobytes(), STREAM_RATE)
        for piece in pieces
    ]
    ghost = [flag and level > -FAINT_DB for flag, level in zip(flags, levels, strict=True)]
    return {
        "ghost_s": sum(ghost) * PIECE / STREAM_RATE,
        "level_db": float(10 * np.log10(np.mean(10 ** (np.array(levels) / 10)))),
        "loudest_30_ms_db": float(np.max(levels)),
    }
