"""Networks whose past is handed in and out, stepped by torch, torch compiled and ONNX Runtime.

Each gives a function from a block to an answer, arrays both, that keeps the past; on one thread.
"""

import copy
import logging
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from persona_voice.model.network import ConverterNetwork, Norm, State

Array = npt.NDArray[np.float32]
Step = Callable[[Array], Array]
# Exporting tells of a package for pictures that is not there, and of constants it leaves alone.
CHATTER = ("torch.onnx._internal.exporter._registration", "onnxscript.optimizer._constant_folding")


class Stepped(Protocol):
    """A `torch.nn.Module` that answers a block and its past with an answer and the new past."""

    def start(self, batch: int = 1) -> State: ...

    def __call__(self, block: Tensor, *past: Tensor) -> tuple[Tensor, ...]: ...


class OneHead(nn.Module):
    """The converter's network as `Stepped`: frames ``[B, T, 80]`` to ``[B, T, 2, 80]``."""

    def __init__(self, network: ConverterNetwork, mode: str) -> None:
        super().__init__()
        self.network, self.mode = network, mode
        self.eval()

    def start(self, batch: int = 1) -> State:
        return self.network.start(batch)

    def forward(self, frames: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        answer, new = self.network(frames, past, self.mode)
        return answer, *new


class RatioNorm(nn.Module):
    """The network's `Norm`, written so that ONNX Runtime knows it and makes one operation of it."""

    def __init__(self, of: Norm) -> None:
        super().__init__()
        self.weight = of.weight

    def forward(self, x: Tensor) -> Tensor:
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


def for_onnx(network: ConverterNetwork) -> ConverterNetwork:
    """The same network; ONNX Runtime is faster with it than with what is exported as it is."""
    network = copy.deepcopy(network)
    for part in (network, *network.layers):
        part.norm = RatioNorm(part.norm)
    return network


def torch_step(module: Stepped, batch: int = 1, *, compiled: bool = False) -> Step:
    """Eager, or compiled for blocks of one shape, the weights constants: the fastest way found."""
    torch.set_num_threads(1)
    run: Any = module
    if compiled:
        run = torch.compile(run, dynamic=False, options={"freezing": True, "cpp_wrapper": True})
    past = module.start(batch)

    def step(block: Array) -> Array:
        nonlocal past
        with torch.no_grad():
            answer, *past = run(torch.from_numpy(block), *past)
        return answer.numpy()

    return step


def onnx_step(module: Stepped, shape: tuple[int, ...]) -> Step:
    """ONNX Runtime, for blocks of this shape; the past stays on its side."""
    from onnxruntime import InferenceSession, OrtValue, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = InferenceSession(exported(module, shape), options, ["CPUExecutionProvider"])
    inputs = [of.name for of in session.get_inputs()]
    outputs = [of.name for of in session.get_outputs()]
    past = [OrtValue.ortvalue_from_numpy(of.numpy()) for of in module.start(shape[0])]

    def step(block: Array) -> Array:
        nonlocal past
        given = [OrtValue.ortvalue_from_numpy(block), *past]
        feeds = dict(zip(inputs, given, strict=True))
        answer, *past = session.run_with_ort_values(outputs, feeds)
        return answer.numpy()

    return step


def exported(module: Stepped, shape: tuple[int, ...]) -> bytes:
    """The module as ONNX, its past as inputs and outputs, for blocks of this shape."""
    past = module.start(shape[0])
    names = [f"past_{n}" for n in range(len(past))]
    for logger in CHATTER:
        logging.getLogger(logger).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # torch's own calls of what torch has deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            module,
            (torch.zeros(shape), *past),
            dynamo=True,
            verbose=False,
            input_names=["block", *names],
            output_names=["answer", *(f"new_{name}" for name in names)],
        )
    model: bytes = program.model_proto.SerializeToString()
    return model
