"""The network in torch as the path's converter: the reference, what training uses, and for GPUs."""

from pathlib import Path

import numpy as np
import torch

from persona_voice._core import Articulation
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

    def start(self) -> tuple[State, Articulation]:
        return self.network.start(), Articulation()

    def step(
        self, state: tuple[State, Articulation], frames: Frames
    ) -> tuple[tuple[State, Articulation], Frames]:
        past, articulation = state[0], state[1].clone()
        with torch.inference_mode():
            body, heard, past = self.network.body(torch.from_numpy(frames)[None], past)
            answer = self.network.answer(self.mode, body, heard)[0].flatten(1)
            own = self.network.own(heard, len(answer), self.mode)[0]
        envelopes = articulation.process(
            np.ascontiguousarray(own.numpy()), np.ascontiguousarray(answer.numpy())
        )
        return (past, articulation), envelopes


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
