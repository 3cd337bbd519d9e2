"""Whether a recording says a phrase: it is compared with a synthesiser that says it, both in one voice.

The network makes the same speaker of both, so that what is left to differ is what they say; their envelopes are
laid over each other by dynamic time warping (Sakoe & Chiba 1978). That the phrase is nearer than others like it
says that it was said. No recogniser is needed, and any language will do that the synthesiser speaks.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from persona_voice import _core
from persona_voice.model.contrast import cosines
from persona_voice.model.network import ConverterNetwork

Samples = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float64]

# In which look-ahead does no harm.
MODE = "studio"
# Cepstra that tell sounds apart, without level and grain.
CEPSTRA = slice(1, 20)
# What is quieter than the loud frames by more than this, in nepers, is no speech at the ends, and is not told
# apart anywhere.
QUIETEST, LOUD_PERCENTILE = 5.0, 95
# Every other frame is compared.
STEP = 2


def distances(
    network: ConverterNetwork,
    recording: Samples,
    phrases: Sequence[str],
    say: Callable[[str], Samples],
) -> npt.NDArray[np.float64]:
    """How far the recording, float32 ``[samples]`` at 24 kHz, is from what `say` makes of each phrase."""
    told = _told(network, recording)
    return np.array([_apart(told, _told(network, say(phrase))) for phrase in phrases])


def _told(network: ConverterNetwork, samples: Samples) -> Frames:
    """What is said in the sound, ``[frames, cepstra]``, from its first loud frame to its last."""
    mel = torch.from_numpy(_core.LogMel().process(samples))[None]
    with torch.inference_mode():
        body, heard, _ = network.body(mel, network.start())
        answer = network.answer(MODE, body, heard)[0].double().numpy()
    whole = 0.5 * np.logaddexp(2 * answer[:, 0], 2 * answer[:, 1])
    loudest = whole.max(axis=1)
    floor = np.percentile(loudest, LOUD_PERCENTILE) - QUIETEST
    loud = np.flatnonzero(loudest > floor)
    spoken = np.maximum(whole[loud[0] : loud[-1] + 1 : STEP], floor)
    return np.asarray(spoken @ cosines()[CEPSTRA].T)


def _apart(one: Frames, other: Frames) -> float:
    """The mean distance along the best path through both."""
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    each = np.sqrt(np.maximum(squares, 0))
    best = np.cumsum(each[0])
    for row in each[1:]:
        # Of each place: the best way from above or from the left above, and then any way along the row.
        above = np.minimum(best, np.concatenate([[np.inf], best[:-1]]))
        along = np.cumsum(row)
        best = np.minimum.accumulate(above - (along - row)) + along
    return float(best[-1] / sum(each.shape))
