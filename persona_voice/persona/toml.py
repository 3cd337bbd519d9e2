"""Values as the TOML of a file about a persona."""

import datetime as dt
import json
from collections.abc import Mapping


def toml_text(values: Mapping[str, str | float | dt.date]) -> str:
    """A line for each, as `tomllib` reads it back."""
    return "".join(f"{name} = {_said(value)}\n" for name, value in values.items())


def _said(value: str | float | dt.date) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    # JSON's strings and numbers are TOML's, but that TOML knows no halves of characters and no bare delete.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
