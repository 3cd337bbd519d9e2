"""What look-ahead is worth: goes on from exported weights with a head for each of several, all on the same layers.

    python -m training.curve --cache DIR --models DIR --begin WEIGHTS --out FILE [--run curve] [--steps 1400]

As `training.tune`, of which it takes everything, with the heads of `LOOKAHEADS` beside the two of the modes. Each
begins as the one that says most nearly (ridge regression) what the studio head says of the same moments. In turn, each
is judged by all that costs more than an envelope. Writes ``FILE``: the layers, and ``heads.N.weight`` and ``.bias`` for
N samples of look-ahead, as fp32 safetensors, for `benches lookahead`.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from persona_voice.converter import MODES
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork, log_amplitudes
from persona_voice.model.torch_converter import network_of
from training.export import scale_contrast
from training.heads import fitted
from training.tune import Tuner, tuning_arguments
from training.whole import whole

# In samples at 24 kHz, of heads that no mode has.
LOOKAHEADS = (240, 480, 720)


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
        weights = self.begun(file)
        network = CurveNetwork(CurveConfig(**vars(weights.config)))
        others = fitted(weights, self.options.cache / "speech", {str(of): of for of in LOOKAHEADS})
        network.load_state_dict(
            network_of(weights).state_dict()
            | {name: torch.from_numpy(tensor) for name, tensor in others.items()}
        )
        return network


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
