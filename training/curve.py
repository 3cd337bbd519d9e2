"""What look-ahead is worth: goes on from exported weights with a head for each of several, all on the same layers.

    python -m training.curve --cache DIR --models DIR --begin WEIGHTS --out FILE [--run curve] [--steps 1400]

As `training.tune`, of which it takes everything, with the heads of `LOOKAHEADS` beside the two of the modes. Each
begins as the one that says most nearly (ridge regression) what the studio head says of the same moments. In turn, each
is judged by all that costs more than an envelope. Writes ``FILE``: the layers, and ``heads.N.weight`` and ``.bias`` for
N samples of look-ahead, as fp32 safetensors, for `benches lookahead`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import save
from torch import nn

from persona_voice.converter import MODES
from persona_voice.model.adaptation import head_of, head_tensors, heard, read_by_heads, ridge
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork, log_amplitudes
from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import Weights, read_weights
from training.export import scale_contrast
from training.synthesis import HOP
from training.tune import Tuner, tuning_arguments
from training.whole import whole

# In samples at 24 kHz, of heads that no mode has.
LOOKAHEADS = (240, 480, 720)
MINUTES = 40.0
RIDGE = 10.0
# Frames whose loudest band is less than this below the loud ones, in nepers.
QUIETEST, LOUD_PERCENTILE = 5.0, 95
FIT_SEED = 1


@dataclass(frozen=True)
class CurveConfig(NetworkConfig):
    """A head's mode may be its look-ahead itself, in samples."""

    def lookahead(self, mode: str) -> int:
        return int(mode) if mode.isdigit() else super().lookahead(mode)


class CurveNetwork(ConverterNetwork):
    """With a head for each of `LOOKAHEADS`, by that name."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        for of in LOOKAHEADS:
            self.heads[str(of)] = nn.Linear(*reversed(self.heads["live"].weight.shape))

    def own(self, heard: torch.Tensor, count: int, mode: str) -> torch.Tensor:
        if self.config.late(mode):
            return super().own(heard, count, mode)
        # The frame after the moment is still to come: the one before stands for it.
        return log_amplitudes(heard[:, -count:])


class CurveTuner(Tuner):
    """All heads answer at every step, and each in its turn is the dear one."""

    modes = (*MODES, *map(str, LOOKAHEADS))
    config_type, network_type = CurveConfig, CurveNetwork

    def exported(self, file: Path) -> CurveNetwork:
        weights = read_weights(file)
        network = CurveNetwork(CurveConfig(**vars(weights.config)))
        network.load_state_dict(
            network_of(weights).state_dict() | fitted(weights, self.options.cache / "speech")
        )
        return network


def fitted(weights: Weights, folder: Path) -> dict[str, torch.Tensor]:
    """Heads for `LOOKAHEADS`, by the names that the network has for them."""
    network, studio = network_of(weights), head_of(weights, "studio")
    width = weights.config.channels + 1
    products = {of: np.zeros((width, width)) for of in LOOKAHEADS}
    answers = {of: np.zeros((width, studio.shape[1])) for of in LOOKAHEADS}
    files = np.random.default_rng(FIT_SEED).permutation(sorted(folder.glob("*.flac")))
    seconds = 0.0
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32")
        seconds += len(samples) / rate
        body, loudest = heard(network, np.ascontiguousarray(samples))
        x, loud = read_by_heads(body), loudest["studio"]
        wanted = x @ studio
        for of in LOOKAHEADS:
            later = (weights.config.studio_lookahead - of) // HOP
            taken = loud[later:] > np.percentile(loud, LOUD_PERCENTILE) - QUIETEST
            earlier = x[: len(x) - later][taken]
            products[of] += earlier.T @ earlier
            answers[of] += earlier.T @ wanted[later:][taken]
        if seconds > 60 * MINUTES:
            break
    if seconds == 0:
        raise SystemExit(f"{folder} must hold speech, as training.speech makes it")
    keep = ridge(RIDGE, width - 1)
    made = {}
    for of in LOOKAHEADS:
        head = np.linalg.solve(products[of] + keep, answers[of])
        tensors = head_tensors(str(of), head)
        made |= {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    return made


def main() -> None:
    parser = tuning_arguments(__doc__, steps=1400, run="curve")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tuner = CurveTuner(options)
    tuner.run()
    network = tuner.average.cpu()
    scale_contrast(network)
    with whole(options.out) as out:
        out.write(
            save({name: of.detach().contiguous() for name, of in network.state_dict().items()})
        )


if __name__ == "__main__":
    main()
