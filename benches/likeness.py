"""Who speaks in what came out: one voice, whoever spoke; hers, and nobody else's."""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from benches.report import Result

# By source, each of unit length.
Embeddings = dict[str, npt.NDArray[np.float64]]


def consistency(outputs: Embeddings) -> Result:
    """How alike the outputs of unlike sources are, over all pairs of them."""
    pairs = {(a, b): float(outputs[a] @ outputs[b]) for a, b in combinations(outputs, 2)}
    if not pairs:
        return {"sources": len(outputs), "mean": None, "minimum": None, "least_alike": None}
    least = min(pairs, key=pairs.__getitem__)
    return {
        "sources": len(outputs),
        "mean": float(np.mean(list(pairs.values()))),
        "minimum": pairs[least],
        "least_alike": list(least),
    }


def margins(sources: Embeddings, outputs: Embeddings, hers: npt.NDArray[np.float64]) -> Result:
    """Of each output, by source: the other voice that it is nearest to, how much nearer it is to hers,
    and how much more it is like its own source than the outputs of others are like that source."""
    found: Result = {}
    for name, output in outputs.items():
        voices = {other: float(output @ voice) for other, voice in sources.items()}
        nearest = max(voices, key=voices.__getitem__)
        own = sources.get(name)
        others = [out for other, out in outputs.items() if other != name]
        leak = None
        if own is not None and others:
            leak = voices[name] - float(np.mean([out @ own for out in others]))
        found[name] = {
            "nearest": nearest,
            "margin_over_nearest": float(output @ hers) - voices[nearest],
            "leak": leak,
        }
    return found
