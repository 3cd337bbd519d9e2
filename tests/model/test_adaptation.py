"""Heads fitted to recordings answer nearer to these; and what says that a phrase was said."""

from itertools import product

import numpy as np
import soundfile

from persona_voice import _core
from persona_voice.build import weights_folder
from persona_voice.model import phrase
from persona_voice.model.adaptation import FITTED_CONTRAST, adapt, analysed, both, heard
from persona_voice.model.contrast import CONTRAST, contrast
from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import Weights, read_weights
from persona_voice.persona.persona import personas_folder

WEIGHTS = read_weights(weights_folder() / "converter.safetensors")


def off(weights: Weights, gain: float, samples: np.ndarray) -> float:
    """How far the live head's loud answers, their contrast taken back, are from the recording's own
    envelopes, in nepers."""
    body, loudest = heard(network_of(weights), samples)
    _, envelopes = analysed(samples)
    late = (weights.config.live_lookahead - _core.Envelopes().lookahead) // _core.HOP
    weight, bias = (weights.tensors[f"heads.live.{part}"] for part in ("weight", "bias"))
    loud = loudest["live"][late:, None]
    answer = (body[late:] @ weight.T + bias) @ contrast(1 / gain).T + loud
    right = both(envelopes[:-late])
    clear = (loud[:, 0] > np.percentile(loud, 95) - 2.0)[:, None] & (right > loud - 6)
    return float(np.abs(both(answer) - right)[clear].mean())


def test_what_was_never_heard_is_answered_nearer_to_the_speaker() -> None:
    recording, rate = soundfile.read(personas_folder().parent / "recordings" / "austen_en_m.flac")
    samples = _core.Resampler(rate, _core.RATE).process(recording.astype(np.float32))
    first, second = samples[: len(samples) * 3 // 4], samples[len(samples) * 3 // 4 :]
    adapted = adapt(WEIGHTS, [first])
    before, after = off(WEIGHTS, CONTRAST, second), off(adapted.weights, FITTED_CONTRAST, second)
    assert after < 0.85 * before
    assert 90 < adapted.register_hz < 160
    # Only the heads are others.
    changed = {
        name for name, of in WEIGHTS.tensors.items() if adapted.weights.tensors[name] is not of
    }
    assert changed == {f"heads.{m}.{p}" for m, p in product(("live", "studio"), ("weight", "bias"))}


def test_the_way_through_two_sounds_is_the_shortest_of_all() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.standard_normal((6, 3)), rng.standard_normal((9, 3))
    each = np.linalg.norm(one[:, None] - other, axis=2)
    best = np.full(each.shape, np.inf)
    for i, j in product(*map(range, each.shape)):
        before = [best[a, b] for a, b in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if min(a, b) >= 0]
        best[i, j] = each[i, j] + (min(before) if before else 0.0)
    assert abs(phrase._apart(one, other) - best[-1, -1] / 15) < 1e-9
    assert phrase._apart(one, one) < 1e-6
