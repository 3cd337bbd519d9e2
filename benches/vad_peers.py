"""Voice activity detectors of others and ours behind one face, on sound at 16 kHz.

Each takes its own blocks, one call for each, and gives a score a block.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from benches.sources import Samples
from benches.vad_set import HOP, RATE
from persona_voice import _core

Scores = npt.NDArray[np.float32]
Step = Callable[[Samples], Any]
# What fast-vad says at so many of its thresholds makes a score; it gives no probability.
FAST_VAD_THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
WEBRTC_MODES = (0, 1, 2, 3)


@dataclass(frozen=True)
class Detector:
    """``start`` gives a new stream: a function from a block to a score.

    ``cost`` starts what is timed, where one call of it gives no score.
    """

    name: str
    version: str
    block: int
    start: Callable[[], Step]
    cost: Callable[[], Step]

    @property
    def block_ms(self) -> float:
        return 1000 * self.block / RATE

    def scores(self, samples: Samples) -> Scores:
        """What it has said by the end of every 10 ms."""
        step = self.start()
        blocks = samples[: len(samples) // self.block * self.block].reshape(-1, self.block)
        said = np.array([step(block) for block in blocks], np.float32)
        ends = (np.arange(len(samples) // HOP) + 1) * HOP // self.block
        return np.concatenate([[np.float32(0)], said])[np.minimum(ends, len(said))]


def detectors() -> tuple[list[Detector], dict[str, str]]:
    """Ours first; and why the missing are."""
    found = [Detector("ours", _core.build_profile, HOP, ours, ours)]
    skipped: dict[str, str] = {}
    for name, package, block, start, cost in (
        ("Silero", "silero-vad", 512, silero, silero),
        ("TEN", "ten-vad", 256, ten, ten),
        ("Earshot", "earshot", 256, earshot, earshot),
        ("fast-vad", "fast-vad", 512, fast_vad, fast_vad_alone),
        ("WebRTC", "webrtcvad", 160, webrtc, webrtc_alone),
    ):
        try:
            start()(np.zeros(block, np.float32))
            found.append(Detector(name, version(package), block, start, cost))
        except (ImportError, OSError, PackageNotFoundError) as reason:
            skipped[name] = str(reason)
    return found, skipped


def ours() -> Step:
    vad = _core.Vad(RATE)
    return lambda block: vad.process(block)[0, 0]


def silero() -> Step:
    """The weights at 16 kHz by ONNX Runtime on one thread, with the 64 samples before each block."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = files("silero_vad.data") / "silero_vad_16k_op15.onnx"
    session = InferenceSession(str(model), options, ["CPUExecutionProvider"])
    heard = np.zeros((1, 64 + 512), np.float32)
    state, rate = np.zeros((2, 1, 128), np.float32), np.array(RATE, np.int64)

    def step(block: Samples) -> np.float32:
        nonlocal state
        heard[:, :64] = heard[:, -64:]
        heard[:, 64:] = block
        said, state = session.run(None, {"input": heard, "state": state, "sr": rate})
        return np.float32(said[0, 0])

    return step


def ten() -> Step:
    from ten_vad import TenVad

    vad = TenVad(256, 0.5)
    return lambda block: vad.process((block * 32768).astype(np.int16))[0]


def earshot() -> Step:
    import earshot

    return earshot.Detector().predict_f32


def fast_vad() -> Step:
    import fast_vad

    each = [
        fast_vad.VadStateful.with_config(RATE, threshold, 0, 0, 0)
        for threshold in FAST_VAD_THRESHOLDS
    ]
    return lambda block: np.mean([one.detect_frame(block) for one in each])


def fast_vad_alone() -> Step:
    import fast_vad

    return fast_vad.VadStateful(RATE).detect_frame


def webrtc() -> Step:
    import webrtcvad

    each = [webrtcvad.Vad(mode) for mode in WEBRTC_MODES]

    def step(block: Samples) -> float:
        spoken = (block * 32768).astype(np.int16).tobytes()
        return float(np.mean([one.is_speech(spoken, RATE) for one in each]))

    return step


def webrtc_alone() -> Step:
    import webrtcvad

    vad = webrtcvad.Vad(2)
    return lambda block: vad.is_speech((block * 32768).astype(np.int16).tobytes(), RATE)
