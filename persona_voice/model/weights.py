"""The weights file: fp16 safetensors, with the network's shape and the format in its metadata."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from persona_voice.errors import WeightsError
from persona_voice.model.network import ConverterNetwork, NetworkConfig

FORMAT = "persona-voice converter 1"


def save_weights(network: ConverterNetwork, file: Path, facts: dict[str, str]) -> None:
    """Writes the network as fp16, with ``facts`` (data, steps, date) beside its shape."""
    tensors = {name: t.detach().half().contiguous() for name, t in network.state_dict().items()}
    shape = json.dumps(asdict(network.config))
    save_file(tensors, str(file), metadata={"format": FORMAT, "config": shape, **facts})


def load_network(file: Path) -> ConverterNetwork:
    """The network of a weights file, as float32, ready to convert.

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_damaged``, ``weights_format``, ``weights_shape`` or
        ``weights_not_finite``.
    """
    if not file.is_file():
        raise WeightsError(f"no weights at {file}", code="weights_missing")
    try:
        with safe_open(str(file), framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name).float() for name in opened.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{file} must be a whole safetensors file: {error}", code="weights_damaged"
        ) from error
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "none")
        raise WeightsError(
            f'{file} must have the format "{FORMAT}", found "{found}"', code="weights_format"
        )
    network = ConverterNetwork(read_config(metadata, file))
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise WeightsError(
            f"{file} must hold the tensors its shape asks for: {first}", code="weights_shape"
        ) from error
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"{file} must hold finite numbers only; {name} does not", code="weights_not_finite"
            )
    return network.eval().requires_grad_(False)


def read_config(metadata: dict[str, str], file: Path) -> NetworkConfig:
    try:
        values = json.loads(metadata["config"])
        return NetworkConfig(**values | {"dilations": tuple(values["dilations"])})
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{file} must describe its network: {error}", code="weights_shape"
        ) from error
