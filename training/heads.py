"""Heads for other look-aheads than those that weights were trained with, to begin with."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from persona_voice.model.adaptation import head_of, head_tensors, heard, read_by_heads, ridge
from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import Tensors, Weights
from training.synthesis import HOP

MINUTES = 40.0
RIDGE = 10.0
# Frames whose loudest band is less than this below the loud ones, in nepers.
QUIETEST, LOUD_PERCENTILE = 5.0, 95
FIT_SEED = 1


def fitted(weights: Weights, speech: Path, lookaheads: Mapping[str, int]) -> Tensors:
    """For each name of a head, and the samples that it looks ahead, the one that says most nearly (ridge regression)
    what the studio head says of the same moments, on so many `MINUTES` of the speech in a folder."""
    network, studio = network_of(weights), head_of(weights, "studio")
    width = weights.config.channels + 1
    products = {name: np.zeros((width, width)) for name in lookaheads}
    answers = {name: np.zeros((width, studio.shape[1])) for name in lookaheads}
    files = np.random.default_rng(FIT_SEED).permutation(sorted(speech.glob("*.flac")))
    seconds = 0.0
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32")
        seconds += len(samples) / rate
        body, loudest = heard(network, np.ascontiguousarray(samples))
        x, loud = read_by_heads(body), loudest["studio"]
        wanted = x @ studio
        for name, of in lookaheads.items():
            later = (weights.config.studio_lookahead - of) // HOP
            taken = loud[later:] > np.percentile(loud, LOUD_PERCENTILE) - QUIETEST
            earlier = x[: len(x) - later][taken]
            products[name] += earlier.T @ earlier
            answers[name] += earlier.T @ wanted[later:][taken]
        if seconds > 60 * MINUTES:
            break
    if seconds == 0:
        raise SystemExit(f"{speech} must hold speech, as training.speech makes it")
    keep = ridge(RIDGE, width - 1)
    tensors: Tensors = {}
    for name in lookaheads:
        tensors |= head_tensors(name, np.linalg.solve(products[name] + keep, answers[name]))
    return tensors
