"""The network in torch as the path's converter: the reference, what training uses, and for GPUs."""

from pathlib import Path

import numpy as np
import torch

from persona_voice.converter import Frames
from persona_voice.model.network import ConverterNetwork, State
from persona_voice.model.weights import Weights, read_weights


class TorchConverter:
    """One mode of one network. Holds weights only: any number of streams and threads share it."""

    def __init__(self, network: ConverterNetwork, mode: str) -> None:
        self.network, self.mode = network, mode

    @property
    def lookahead(self) -> int:
        return self.network.config.lookahead(self.mode)

    def start(self) -> State:
        return self.network.start()

    def step(self, state: State, frames: Frames) -> tuple[State, Frames]:
        with torch.inference_mode():
            envelopes, state = self.network(torch.from_numpy(frames)[None], state, self.mode)
        return state, np.ascontiguousarray(envelopes[0].flatten(1).numpy())


def network_of(weights: Weights) -> ConverterNetwork:
    """A network with these weights, ready to convert."""
    network = ConverterNetwork(weights.config)
    tensors = {name: torch.from_numpy(of) for name, of in weights.tensors.items()}
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def weights_of(network: ConverterNetwork) -> Weights:
    """The other way round, to be saved."""
    tensors = {name: of.detach().float().numpy() for name, of in network.state_dict().items()}
    return Weights(network.config, tensors)


def load_converter(file: Path, mode: str) -> TorchConverter:
    """The converter of a weights file.

    Sets torch to one thread: a hop is too small to share out, and threads that wait for each other
    made a stream 8 to 20 times slower on two busy cores. Streams run side by side instead.
    """
    torch.set_num_threads(1)
    return TorchConverter(network_of(read_weights(file)), mode)
