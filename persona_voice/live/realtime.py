"""The interpreter, while a driver must be answered in time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# A driver's thread needs the interpreter within a millisecond, not five as is usual.
SWITCH_S = 0.0005


@contextmanager
def realtime() -> Iterator[None]:
    """No thread keeps the interpreter for long, and no search for garbage stops them all.

    What exists by now is left out of that search: through the 25,000 objects of the monitor it takes
    8 ms, through the 200,000 of a program that has loaded torch 140 ms.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
