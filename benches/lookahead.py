"""Quality against look-ahead: the same layers with heads for other moments, on the real recordings.

A head for each look-ahead is fitted by ridge regression to what the studio head, which hears most, answers for
the same moments of some hours of speech. The layers were trained for the two look-aheads of the modes alone; what
more of it would change in them is not measured.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from benches import report
from benches.judges import Speaker, Words, dnsmos, words_changed
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, recordings
from persona_voice import _core
from persona_voice.build import convert, open_stream, weights_folder
from persona_voice.model.adaptation import head_of, head_tensors, heard, read_by_heads, ridge
from persona_voice.model.config import LEAST_LOOKAHEAD
from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import Weights, read_weights, save_weights
from persona_voice.persona.persona import load_persona
from training.models import VOICES

HOURS = 1.5
RIDGE = 10.0
# Frames whose loudest band is less than this below the loud ones, in nepers.
QUIETEST, LOUD_PERCENTILE = 5.0, 95
SEED = 1


def fitted(weights: Weights, folder: Path, lookaheads: list[int]) -> dict[int, Weights]:
    """By look-ahead in samples, weights whose live head has that one."""
    network, config = network_of(weights), weights.config
    studio = head_of(weights, "studio")
    width = config.channels + 1
    products = {of: np.zeros((width, width)) for of in lookaheads}
    answers = {of: np.zeros((width, studio.shape[1])) for of in lookaheads}
    files = sorted(folder.glob("*.flac"))
    np.random.default_rng(SEED).shuffle(files)  # type: ignore[arg-type]  # a list it takes, too
    seconds = 0.0
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32")
        seconds += len(samples) / rate
        body, loudest = heard(network, np.ascontiguousarray(samples))
        x, loud = read_by_heads(body), loudest["studio"]
        wanted = x @ studio
        for of in lookaheads:
            later = (config.studio_lookahead - of) // _core.HOP
            taken = loud[later:] > np.percentile(loud, LOUD_PERCENTILE) - QUIETEST
            earlier = x[: len(x) - later][taken]
            products[of] += earlier.T @ earlier
            answers[of] += earlier.T @ wanted[later:][taken]
        if seconds > 3600 * HOURS:
            break
    if seconds == 0:
        raise SystemExit(f"{folder} must hold speech, as training.speech makes it")
    keep = ridge(RIDGE, width - 1)
    found = {}
    for of in lookaheads:
        heads = head_tensors("live", np.linalg.solve(products[of] + keep, answers[of]))
        found[of] = Weights(replace(config, live_lookahead=of), weights.tensors | heads)
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    report.add_json_and_models(parser)
    parser.add_argument(
        "--speech", type=Path, required=True, metavar="DIR", help="what training.speech made"
    )


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    weights = read_weights(weights_folder() / load_persona().weights)
    config = weights.config
    lookaheads = [LEAST_LOOKAHEAD, config.live_lookahead, 1200, 1440, config.studio_lookahead]
    sources = list(recordings(Engines(options.models, VOICES)))
    speaker, words = Speaker(), Words(options.models)
    read = [words.read(of.samples, of.language) for of in sources]
    figures: Result = {}
    with tempfile.TemporaryDirectory() as folder:
        for of, made in fitted(weights, options.speech, lookaheads).items():
            file = Path(folder) / f"{of}.safetensors"
            save_weights(made, file, {})
            changed, like, clean = [], [], []
            for source, before in zip(sources, read, strict=True):
                out = convert(source.samples, sample_rate=STREAM_RATE, mode="live", weights=file)
                assert out is not None
                changed.append(words_changed(before, words.read(out, source.language)))
                embedding = speaker.embed(out)
                if embedding is not None:
                    like.append(float(embedding @ speaker.centroid))
                clean.append(dnsmos(out))
            latency = open_stream(sample_rate=STREAM_RATE, weights=file).latency_samples
            figures[str(of)] = {
                "latency_ms": round(1000 * latency / STREAM_RATE, 1),
                "words_changed": round(float(np.mean([c for c in changed if c is not None])), 3),
                "similarity": round(float(np.mean(like)), 3),
                "dnsmos": round(float(np.mean(clean)), 2),
            }
            print(f"{of} samples of look-ahead: {figures[str(of)]}", flush=True)
    settings = {"hours": HOURS, "seed": SEED}
    report.write(report.circumstances("lookahead", settings) | {"figures": figures}, options.json)
