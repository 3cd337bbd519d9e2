"""Pairs of sounds that a verifier judged: how often it errs."""

import numpy as np
import numpy.typing as npt


def equal_error_rate(same: npt.ArrayLike, different: npt.ArrayLike) -> float:
    """Where as large a part of the same speaker's pairs lies below as of others' above.

    Similarities of pairs by one speaker and by two; 0 to 1, 0.5 by chance.
    """
    same, different = np.sort(np.ravel(same)), np.sort(np.ravel(different))
    at = np.concatenate([same, different])
    missed = np.searchsorted(same, at, "left") / len(same)
    taken = 1 - np.searchsorted(different, at, "left") / len(different)
    best = np.argmin(np.abs(missed - taken))
    return float((missed[best] + taken[best]) / 2)
