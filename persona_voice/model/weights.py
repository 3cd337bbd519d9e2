"""The weights file: fp16 safetensors, with the network's shape and the format in its metadata."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from persona_voice.errors import WeightsError
from persona_voice.model.config import NetworkConfig

Tensors = dict[str, npt.NDArray[np.float32]]

FORMAT = "persona-voice converter 2"


@dataclass(frozen=True)
class Weights:
    """A network's shape, and its tensors as float32 by name."""

    config: NetworkConfig
    tensors: Tensors


def save_weights(weights: Weights, file: Path, facts: dict[str, str]) -> None:
    """Writes them as fp16, with ``facts`` (data, steps, date) beside the shape."""
    tensors = {name: of.astype(np.float16) for name, of in weights.tensors.items()}
    shape = json.dumps(asdict(weights.config))
    save_file(tensors, str(file), metadata={"format": FORMAT, "config": shape, **facts})


def read_weights(file: Path) -> Weights:
    """The weights of a file, every tensor there, of its shape, finite.

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_damaged``, ``weights_format``, ``weights_shape`` or
        ``weights_not_finite``.
    """
    config = _read_config(read_metadata(file, FORMAT), file)
    return Weights(config, read_tensors(file, config.shapes()))


def read_metadata(file: Path, form: str) -> dict[str, str]:
    """What a safetensors file of the format `form` says of itself.

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_damaged``, ``weights_format``.
    """
    with _opened(file) as opened:
        metadata: dict[str, str] = opened.metadata() or {}
    if metadata.get("format") != form:
        found = metadata.get("format", "none")
        raise WeightsError(
            f'{file} must have the format "{form}", found "{found}"', code="weights_format"
        )
    return metadata


def read_tensors(file: Path, wanted: dict[str, tuple[int, ...]]) -> Tensors:
    """The tensors of a safetensors file as float32 by name: every one there, of its shape, in half
    floats, finite, and no other. Nothing is read of a file that holds others.

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_damaged``, ``weights_shape``, ``weights_not_finite``.
    """
    with _opened(file) as opened:
        held = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        got = {name: tuple(of.get_shape()) for name, of in held.items()}
        for name in sorted(wanted.keys() | got.keys()):
            if wanted.get(name) != got.get(name):
                raise WeightsError(
                    f"{file} must hold {name} of shape {wanted.get(name)}, got {got.get(name)}",
                    code="weights_shape",
                )
            if held[name].get_dtype() != "F16":
                raise WeightsError(
                    f"{file} must hold half floats, and {name} is {held[name].get_dtype()}",
                    code="weights_shape",
                )
        tensors = {name: np.ascontiguousarray(of[:], np.float32) for name, of in held.items()}
    for name, of in tensors.items():
        if not np.isfinite(of).all():
            raise WeightsError(
                f"{file} must hold finite numbers only; {name} does not", code="weights_not_finite"
            )
    return tensors


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    if not file.is_file():
        raise WeightsError(f"no weights at {file}", code="weights_missing")
    try:
        with safe_open(str(file), framework="np") as opened:
            yield opened
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{file} must be a whole safetensors file: {error}", code="weights_damaged"
        ) from error


def _read_config(metadata: dict[str, str], file: Path) -> NetworkConfig:
    try:
        return NetworkConfig.of_json(json.loads(metadata.get("config", "null")))
    except (ValueError, RecursionError) as error:
        raise WeightsError(
            f"{file} must describe its network: {error}", code="weights_shape"
        ) from error
