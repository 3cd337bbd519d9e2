"""Quality against look-ahead: the same layers with heads for other moments, on the real recordings.

A head for each look-ahead is fitted by ridge regression to what the studio head, which hears most, answers for
the same moments of some hours of speech. The layers were trained for the two look-aheads of the modes alone; what
more of it would change in them is not measured.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch import Tensor

from benches import report
from benches.judges import Speaker, Words, dnsmos, words_changed
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, recordings
from persona_voice import _core
from persona_voice.build import weights_folder
from persona_voice.model.adaptation import head_of, head_tensors, heard, read_by_heads, ridge
from persona_voice.model.network import ConverterNetwork, State
from persona_voice.model.torch_converter import TorchConverter, network_of
from persona_voice.model.weights import Weights, read_weights
from persona_voice.path.offline import convert_array
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import load_persona
from training.models import VOICES

LOOKAHEADS = (240, 480, 720, 960, 1200, 1440, 1920)
HOURS = 1.5
RIDGE = 10.0
# Frames whose loudest band is less than this below the loud ones, in nepers.
QUIETEST, LOUD_PERCENTILE = 5.0, 95
SEED = 1


class Hurried(ConverterNetwork):
    """Its heads read the layers as they were hops ago, and so answer for their moments having heard less.

    So all look-aheads go through one path, with F0 and everything else as in `studio`.
    """

    def __init__(self, weights: Weights, hops: int) -> None:
        super().__init__(weights.config)
        self.load_state_dict(network_of(weights).state_dict())
        self.hops = hops

    def start(self, batch: int = 1) -> State:
        return (*super().start(batch), torch.zeros(batch, self.hops, self.config.channels))

    def body(self, frames: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        body, heard, past = super().body(frames, state[:-1])
        known = torch.cat([state[-1], body], dim=1)
        count = frames.shape[1]
        return known[:, :count], heard, (*past, known[:, count:])


def fitted(weights: Weights, folder: Path) -> dict[int, Weights]:
    """By look-ahead in samples, weights whose studio head makes do with that one."""
    network, config = network_of(weights), weights.config
    studio = head_of(weights, "studio")
    width = config.channels + 1
    products = {of: np.zeros((width, width)) for of in LOOKAHEADS}
    answers = {of: np.zeros((width, studio.shape[1])) for of in LOOKAHEADS}
    files = sorted(folder.glob("*.flac"))
    np.random.default_rng(SEED).shuffle(files)  # type: ignore[arg-type]  # a list it takes, too
    seconds = 0.0
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32")
        seconds += len(samples) / rate
        body, loudest = heard(network, np.ascontiguousarray(samples))
        x, loud = read_by_heads(body), loudest["studio"]
        wanted = x @ studio
        for of in LOOKAHEADS:
            later = hops_less(weights, of)
            taken = loud[later:] > np.percentile(loud, LOUD_PERCENTILE) - QUIETEST
            earlier = x[: len(x) - later][taken]
            products[of] += earlier.T @ earlier
            answers[of] += earlier.T @ wanted[later:][taken]
        if seconds > 3600 * HOURS:
            break
    if seconds == 0:
        raise SystemExit(f"{folder} must hold speech, as training.speech makes it")
    keep = ridge(RIDGE, width - 1)
    heads = {of: np.linalg.solve(products[of] + keep, answers[of]) for of in LOOKAHEADS}
    return {
        of: Weights(config, weights.tensors | head_tensors("studio", head))
        for of, head in heads.items()
    }


def hops_less(weights: Weights, lookahead: int) -> int:
    return (weights.config.studio_lookahead - lookahead) // _core.HOP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    report.add_json_and_models(parser)
    parser.add_argument(
        "--speech", type=Path, required=True, metavar="DIR", help="what training.speech made"
    )


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    torch.set_num_threads(1)
    persona = load_persona()
    weights = read_weights(weights_folder() / persona.weights)
    sources = list(recordings(Engines(options.models, VOICES)))
    speaker, words = Speaker(), Words(options.models)
    read = [words.read(of.samples, of.language) for of in sources]
    figures: Result = {}
    for of, made in fitted(weights, options.speech).items():
        hops = hops_less(weights, of)
        stream = VoiceStream(TorchConverter(Hurried(made, hops), "studio"), persona, STREAM_RATE)
        late = stream.latency_samples - hops * _core.HOP * STREAM_RATE / _core.RATE
        outs = [convert_array(stream, source.samples) for source in sources]
        figures[str(of)] = {
            "latency_ms": round(1000 * late / STREAM_RATE, 1),
            **judged(outs, [source.language for source in sources], read, speaker, words),
        }
        print(f"{of} samples of look-ahead: {figures[str(of)]}", flush=True)
    settings = {"hours": HOURS, "seed": SEED}
    report.write(report.circumstances("lookahead", settings) | {"figures": figures}, options.json)


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
