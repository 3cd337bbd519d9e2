"""Speaker adaptation: another person's heads on the same network, from a few minutes of theirs.

The network hears the recordings as it would hear any source, and the envelopes that it should have answered
are the recordings' own. What its layers have learnt, to hear what is said whoever says it, stays; of the heads,
which say how that sounds in a voice, the difference is found by ridge regression. It is that of both parts
together: how they share, the network has learnt better than a few minutes tell. Fitted each by itself, they were
as like the speaker and sounded of noise (DNSMOS 2.6 instead of 3.2).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from persona_voice import _core
from persona_voice.converter import BANDS, MODES
from persona_voice.model.contrast import CONTRAST, contrast
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import Tensors, Weights

Samples = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

# Squares of the heads' difference against squares of what is answered wrong: 100 and 3,000 gave a woman likenesses of
# 0.81 and 0.83, a man 0.73 and 0.69.
RIDGE = 1000.0
# As `CONTRAST`, of what is fitted so: 1.65 gave 0.82 and 0.72, 2 gave 0.83 and 0.76.
FITTED_CONTRAST = 2.0
# Frames are learnt from whose loudest band is less than this below the loud ones, in nepers, and bands down to
# so far below that.
QUIETEST, DEEPEST = 4.5, 9.0
LOUD_PERCENTILE = 95


@dataclass(frozen=True)
class Adapted:
    """What `adapt` found."""

    weights: Weights
    register_hz: float
    """Geometric mean of F0."""


def adapt(weights: Weights, recordings: Iterable[Samples]) -> Adapted:
    """The weights with heads for the voice of the recordings, float32 ``[samples]`` at 24 kHz each.

    Recordings that hold no voice at all give weights that are not finite, or F0 of NaN: the caller has seen to
    it that somebody speaks.
    """
    network = network_of(weights)
    width = weights.config.channels + 1
    products = {mode: np.zeros((width, width)) for mode in MODES}
    wrong = {mode: np.zeros((width, BANDS)) for mode in MODES}
    flat = contrast(1 / CONTRAST).T
    heads = {mode: head_of(weights, mode) @ flat for mode in MODES}
    voiced: list[npt.NDArray[np.float32]] = []
    for samples in recordings:
        f0, envelopes = analysed(samples)
        voiced.append(f0[f0 > 0])
        body, loudest = heard(network, samples)
        for mode in MODES:
            late = (weights.config.lookahead(mode) - _core.Envelopes().lookahead) // _core.HOP
            wanted, loud = envelopes[: len(envelopes) - late], loudest[mode][late:]
            x = read_by_heads(body[late:])
            taken = loud > np.percentile(loud, LOUD_PERCENTILE) - QUIETEST
            x, loud = x[taken], loud[taken, None]
            right = np.maximum(both(wanted[taken]), loud - DEEPEST) - loud
            products[mode] += x.T @ x
            wrong[mode] += x.T @ (right - both(x @ heads[mode]))
    tensors = dict(weights.tensors)
    more = contrast(FITTED_CONTRAST)
    keep = ridge(RIDGE, width - 1)
    for mode in MODES:
        head = heads[mode] + np.tile(np.linalg.solve(products[mode] + keep, wrong[mode]), 2)
        tensors |= head_tensors(mode, head @ more.T)
    mean = float(np.exp(np.log(np.concatenate(voiced)).mean()))
    return Adapted(Weights(weights.config, tensors), mean)


def both(envelopes: npt.NDArray[np.floating]) -> Array:
    """Log amplitudes ``[..., 160]`` of harmonics and noise together, ``[..., 80]``."""
    harmonics, noise = np.split(np.asarray(envelopes, np.float64), 2, axis=-1)
    return np.asarray(0.5 * np.logaddexp(2 * harmonics, 2 * noise))


def analysed(samples: Samples) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """F0 in Hz ``[frames]``, 0 where unvoiced, and envelopes ``[frames, 160]`` of the same moments."""
    hops = samples[: len(samples) // _core.HOP * _core.HOP].reshape(-1, _core.HOP)
    tracker, envelopes = _core.F0Tracker(), _core.Envelopes()
    f0 = tracker.process(np.ascontiguousarray(hops.reshape(-1)))[:, :1]
    answer = envelopes.process(np.hstack([hops, f0]))
    return answer[:, 0], answer[:, 1:]


def heard(network: ConverterNetwork, samples: Samples) -> tuple[Array, dict[str, Array]]:
    """What the heads read ``[frames, channels]``, and the loudest band of each head's moments ``[frames]``."""
    mel = torch.from_numpy(_core.LogMel().process(samples))[None]
    with torch.inference_mode():
        body, frames, _ = network.body(mel, network.start())
        loudest = {
            mode: network.own(frames, mel.shape[1], mode).amax(2)[0].double().numpy()
            for mode in MODES
        }
    return body[0].double().numpy(), loudest


def ridge(prior: float, channels: int) -> Array:
    """What is added to the products of what heads read: the bias, the last, costs nothing."""
    return np.diag(np.append(np.full(channels, prior), 0.0))


def read_by_heads(body: Array) -> Array:
    """With a one behind each frame, for the bias: ``[frames, channels + 1]``."""
    return np.hstack([body, np.ones((len(body), 1))])


def head_of(weights: Weights, mode: str) -> Array:
    """``[channels + 1, 160]``, the bias last."""
    weight, bias = (weights.tensors[f"heads.{mode}.{part}"] for part in ("weight", "bias"))
    return np.vstack([weight.T, bias[None]]).astype(np.float64)


def head_tensors(mode: str, head: Array) -> Tensors:
    """The other way round, by the names that `Weights` has for them."""
    numbers = head.astype(np.float32)
    return {
        f"heads.{mode}.weight": np.ascontiguousarray(numbers[:-1].T),
        f"heads.{mode}.bias": numbers[-1],
    }
