"""Quality against look-ahead: heads for several, tuned on the same layers, on the real recordings.

The weights are those of `training.curve`. All heads go through one path, so that F0 and everything else are as in
`studio`: what is measured is what the network makes of having heard less.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load_file
from torch import Tensor

from benches import report
from benches.judges import Speaker, Words, dnsmos, words_changed
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, recordings
from persona_voice import _core
from persona_voice.model.config import NetworkConfig
from persona_voice.model.network import ConverterNetwork, State, log_amplitudes
from persona_voice.model.torch_converter import TorchConverter
from persona_voice.path.offline import convert_array
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import load_persona
from training.models import VOICES


class Hurried(ConverterNetwork):
    """Its studio head reads the layers as they were hops ago, and so answers for its moment having heard less."""

    def __init__(self, config: NetworkConfig, hops: int) -> None:
        super().__init__(config)
        self.hops = hops

    def start(self, batch: int = 1) -> State:
        return (*super().start(batch), torch.zeros(batch, self.hops, self.config.channels))

    def body(self, frames: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        body, heard, past = super().body(frames, state[:-1])
        known = torch.cat([state[-1], body], dim=1)
        count = frames.shape[1]
        return known[:, :count], heard, (*past, known[:, count:])

    def own(self, heard: Tensor, count: int, mode: str) -> Tensor:
        if self.hops < self.config.late(mode):
            return super().own(heard, count, mode)
        # The frame after the moment is not known: as `training.curve` has it.
        end = heard.shape[1] - self.config.late(mode)
        return log_amplitudes(heard[:, end - count : end])


def by_lookahead(file: Path) -> dict[int, Hurried]:
    """In samples, a network whose studio head makes do with so much."""
    tensors = {name: torch.from_numpy(of) for name, of in load_file(file).items()}
    config = NetworkConfig()
    named = {"live": config.live_lookahead, "studio": config.studio_lookahead}
    names = {name.split(".")[1] for name in tensors if name.startswith("heads.")}
    found = {named.get(name) or int(name): name for name in names}
    networks = {}
    for lookahead in sorted(found):
        hops = (config.studio_lookahead - lookahead) // _core.HOP
        network = Hurried(config, hops)
        own = {name: tensors[name] for name in network.state_dict()}
        head = {
            f"heads.studio.{part}": tensors[f"heads.{found[lookahead]}.{part}"]
            for part in ("weight", "bias")
        }
        network.load_state_dict(own | head)
        networks[lookahead] = network.eval().requires_grad_(False)
    return networks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    report.add_json_and_models(parser)
    parser.add_argument(
        "--weights", type=Path, required=True, metavar="FILE", help="what training.curve made"
    )


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    torch.set_num_threads(1)
    persona = load_persona()
    sources = list(recordings(Engines(options.models, VOICES)))
    speaker, words = Speaker(), Words(options.models)
    read = [words.read(of.samples, of.language) for of in sources]
    figures: Result = {}
    for lookahead, network in by_lookahead(options.weights).items():
        stream = VoiceStream(TorchConverter(network, "studio"), persona, STREAM_RATE)
        late = stream.latency_samples - network.hops * _core.HOP * STREAM_RATE / _core.RATE
        outs = [convert_array(stream, source.samples) for source in sources]
        figures[str(lookahead)] = {
            "latency_ms": round(1000 * late / STREAM_RATE, 1),
            **judged(outs, [source.language for source in sources], read, speaker, words),
        }
        print(f"{lookahead} samples of look-ahead: {figures[str(lookahead)]}", flush=True)
    report.write(
        report.circumstances("lookahead", {"weights": str(options.weights)}) | {"figures": figures},
        options.json,
    )


def judged(
    outs: list[npt.NDArray[np.float32]],
    languages: list[str],
    read: list[str],
    speaker: Speaker,
    words: Words,
) -> Result:
    """Means over the recordings."""
    changed = [
        words_changed(before, words.read(out, language))
        for out, language, before in zip(outs, languages, read, strict=True)
    ]
    voices = [of for of in map(speaker.embed, outs) if of is not None]
    return {
        "words_changed": round(float(np.mean([of for of in changed if of is not None])), 3),
        "similarity": round(float(np.mean([of @ speaker.centroid for of in voices])), 3),
        "dnsmos": round(float(np.mean([dnsmos(out) for out in outs])), 2),
    }
