"""Writes a run's averaged weights as the persona's: fp16 safetensors.

    python -m training.export --cache DIR --run NAME [--mean-with WEIGHTS] OUT.safetensors

The mean of all likely answers is flatter than any of them, and sounds less like her. What it lacks in
contrast is given back here, by the heads' weights, since it is linear in them: the cepstra of each
envelope that make its shape, times `CONTRAST` (after the global variance of Toda & Tokuda 2007). What it
gets wrong is mended as it runs, by `Articulation` in the core.

``--mean-with`` takes the mean, number by number, with the weights that tuning began with: between the two ends of a
tuning lie weights that are better than either (Wortsman et al. 2022).
"""

import argparse
from pathlib import Path

import torch

from persona_voice.model.config import NetworkConfig
from persona_voice.model.contrast import CONTRAST, contrast
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import weights_of
from persona_voice.model.weights import FORMAT, Weights, read_weights, save_weights


def scale_contrast(network: ConverterNetwork, *, back: bool = False) -> None:
    """Gives the answers of a network their contrast, or takes it back from those of an exported one, which must have
    been exported with the `CONTRAST` of today."""
    more = torch.from_numpy(contrast(1 / CONTRAST if back else CONTRAST)).float()
    with torch.no_grad():
        for head in network.heads.values():
            head.weight.copy_(more @ head.weight)
            head.bias.copy_(more @ head.bias)


def export(checkpoint: Path, out: Path, mean_with: Path | None = None) -> None:
    saved = torch.load(checkpoint, map_location="cpu", weights_only=False)
    if saved.get("format") != FORMAT:
        raise SystemExit(f"{checkpoint} must be of {FORMAT}, got {saved.get('format')}")
    config = saved["config"]
    network = ConverterNetwork(NetworkConfig(**config | {"dilations": tuple(config["dilations"])}))
    network.load_state_dict(saved["average"])
    scale_contrast(network)
    weights, facts = weights_of(network), {"run": checkpoint.stem, "steps": str(saved["step"])}
    if mean_with:
        weights = mean(weights, read_weights(mean_with))
        facts["mean_with"] = mean_with.name
    save_weights(weights, out, facts)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, step {saved['step']}")


def mean(a: Weights, b: Weights) -> Weights:
    if a.config != b.config:
        raise SystemExit("the weights to take the mean with are of another network")
    return Weights(a.config, {name: (of + b.tensors[name]) / 2 for name, of in a.tensors.items()})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--run", default="first")
    parser.add_argument("--mean-with", type=Path, help="weights as exported")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    export(options.cache / "runs" / f"{options.run}.pt", options.out, options.mean_with)


if __name__ == "__main__":
    main()
