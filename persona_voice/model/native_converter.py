"""The network in the Rust core as the path's converter: what live streams use."""

from functools import lru_cache
from pathlib import Path
from threading import Lock

from persona_voice import _core
from persona_voice.converter import Frames
from persona_voice.model.weights import Weights, read_weights

_loading = Lock()


class NativeConverter:
    """One mode of one network. Any number of streams and threads share its weights."""

    def __init__(self, weights: Weights, mode: str) -> None:
        config = weights.config
        self.lookahead = config.lookahead(mode)
        tensors = {name: of.reshape(-1) for name, of in weights.tensors.items()}
        tensors |= {f"head.{part}": tensors[f"heads.{mode}.{part}"] for part in ("weight", "bias")}
        self._new = _core.Network(
            channels=config.channels,
            hidden=config.hidden,
            input_frames=config.input_frames,
            dilations=list(config.dilations),
            late=config.late(mode),
            tensors=tensors,
        )

    def start(self) -> _core.Network:
        return self._new.clone()

    def step(self, state: _core.Network, frames: Frames) -> tuple[_core.Network, Frames]:
        state = state.clone()
        return state, state.process(frames)


@lru_cache(maxsize=8)
def _converter(file: Path, mode: str, _changed: int) -> NativeConverter:
    return NativeConverter(read_weights(file), mode)


def load_converter(file: Path, mode: str) -> NativeConverter:
    """The converter of a weights file; a file is read once, however many streams use it."""
    with _loading:
        return _converter(file, mode, file.stat().st_mtime_ns if file.is_file() else 0)
