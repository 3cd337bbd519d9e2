"""The weights file: fp16 safetensors, with the network's shape and the format in its metadata."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

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
    metadata, tensors = read_tensors(file, FORMAT)
    config = _read_config(metadata, file)
    check_tensors(config.shapes(), tensors, file)
    return Weights(config, tensors)


def read_tensors(file: Path, form: str) -> tuple[dict[str, str], Tensors]:
    """The metadata of a safetensors file of the format `form`, and its tensors as float32 by name.

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_damaged``, ``weights_format``.
    """
    if not file.is_file():
        raise WeightsError(f"no weights at {file}", code="weights_missing")
    try:
        with safe_open(str(file), framework="np") as opened:
            metadata = opened.metadata() or {}
            tensors = {
                name: np.ascontiguousarray(opened.get_tensor(name), np.float32)
                for name in opened.keys()  # noqa: SIM118 (no mapping)
            }
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{file} must be a whole safetensors file: {error}", code="weights_damaged"
        ) from error
    if metadata.get("format") != form:
        found = metadata.get("format", "none")
        raise WeightsError(
            f'{file} must have the format "{form}", found "{found}"', code="weights_format"
        )
    return metadata, tensors


def check_tensors(wanted: dict[str, tuple[int, ...]], tensors: Tensors, file: Path) -> None:
    """Every tensor must be there, of its shape, finite; and no other.

    Raises
    ------
    WeightsError
        ``weights_shape``, ``weights_not_finite``.
    """
    got = {name: of.shape for name, of in tensors.items()}
    for name in sorted(wanted.keys() | got.keys()):
        if wanted.get(name) != got.get(name):
            raise WeightsError(
                f"{file} must hold {name} of shape {wanted.get(name)}, got {got.get(name)}",
                code="weights_shape",
            )
        if not np.isfinite(tensors[name]).all():
            raise WeightsError(
                f"{file} must hold finite numbers only; {name} does not", code="weights_not_finite"
            )


def _read_config(metadata: dict[str, str], file: Path) -> NetworkConfig:
    try:
        values = json.loads(metadata["config"])
        config = NetworkConfig(**values | {"dilations": tuple(values["dilations"])})
        config.shapes()
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{file} must describe its network: {error}", code="weights_shape"
        ) from error
    return config
