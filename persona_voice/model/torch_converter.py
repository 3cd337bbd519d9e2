"""The network as the path's converter: numpy at the door, torch inside."""

from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import torch

from persona_voice.converter import Frames
from persona_voice.model.network import ConverterNetwork, State
from persona_voice.model.weights import load_network

_loading = Lock()


class TorchConverter:
    """One mode of one network. Holds weights only: any number of streams and threads share it."""

    def __init__(self, network: ConverterNetwork, mode: str) -> None:
        self.network, self.mode = network, mode

    @property
    def lookahead(self) -> int:
        config = self.network.config
        return config.live_lookahead if self.mode == "live" else config.studio_lookahead

    def start(self) -> State:
        return self.network.start()

    def step(self, state: State, frames: Frames) -> tuple[State, Frames]:
        with torch.inference_mode():
            envelopes, state = self.network(torch.from_numpy(frames)[None], state, self.mode)
        return state, np.ascontiguousarray(envelopes[0].flatten(1).numpy())


@lru_cache(maxsize=8)
def _network(file: Path, _changed: int) -> ConverterNetwork:
    return load_network(file)


def load_converter(file: Path, mode: str) -> TorchConverter:
    """The converter of a weights file; a file is read once, however many streams use it.

    Sets torch to one thread: a hop is too small to share out, and threads that wait for each other
    made a stream 8 to 20 times slower on two busy cores. Streams run side by side instead.
    """
    torch.set_num_threads(1)
    with _loading:
        changed = file.stat().st_mtime_ns if file.is_file() else 0
        return TorchConverter(_network(file, changed), mode)
