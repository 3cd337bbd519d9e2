"""Writes a run's averaged weights as the persona's: fp16 safetensors.

    python -m training.export --cache DIR --run NAME OUT.safetensors

The mean of all likely answers is flatter than any of them, and sounds less like her. What it lacks in
contrast is given back here, by the heads' weights, since it is linear in them: the cepstra of each
envelope that make its shape, times `CONTRAST` (after the global variance of Toda & Tokuda 2007). What it
gets wrong is mended as it runs, by `Articulation` in the core.
"""

import argparse
from pathlib import Path

import torch

from persona_voice.model.config import NetworkConfig
from persona_voice.model.contrast import CONTRAST, contrast
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import weights_of
from persona_voice.model.weights import FORMAT, save_weights


def scale_contrast(network: ConverterNetwork, *, back: bool = False) -> None:
    """Gives the answers of a network their contrast, or takes it back from those of an exported one, which must have
    been exported with the `CONTRAST` of today."""
    more = torch.from_numpy(contrast(1 / CONTRAST if back else CONTRAST)).float()
    with torch.no_grad():
        for head in network.heads.values():
            head.weight.copy_(more @ head.weight)
            head.bias.copy_(more @ head.bias)


def export(checkpoint: Path, out: Path) -> None:
    saved = torch.load(checkpoint, map_location="cpu", weights_only=False)
    if saved.get("format") != FORMAT:
        raise SystemExit(f"{checkpoint} must be of {FORMAT}, got {saved.get('format')}")
    config = saved["config"]
    network = ConverterNetwork(NetworkConfig(**config | {"dilations": tuple(config["dilations"])}))
    network.load_state_dict(saved["average"])
    scale_contrast(network)
    save_weights(weights_of(network), out, {"run": checkpoint.stem, "steps": str(saved["step"])})
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, step {saved['step']}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--run", default="first")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    export(options.cache / "runs" / f"{options.run}.pt", options.out)


if __name__ == "__main__":
    main()
