"""Files of the cache that are there whole or not at all, whenever a run is stopped."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole(file: Path) -> Iterator[BinaryIO]:
    """Written beside its place, and named `file` once all of it is there; after an error, nothing."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.rename(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
