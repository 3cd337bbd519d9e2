"""Where the platform keeps what a program remembers for its user."""

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """The folder of this program's data; it may not be there yet.

    The one thing that is read from the environment: where the platform wants such data is the
    user's setting for all programs, not one of ours. It is read when asked, never on import.
    """
    return _platform_folder() / "persona-voice"


def _platform_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    wanted = os.environ.get("XDG_DATA_HOME", "")
    # The specification says to pass over a relative one.
    return Path(wanted) if Path(wanted).is_absolute() else Path.home() / ".local" / "share"
