"""The store's table of leanings: how she leans towards each listener, while they want it kept."""

import json
from dataclasses import asdict, fields

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from persona_voice.persona.entrain import Leaning
from persona_voice.persona.state import Manner

_text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_leanings = sa.Table(
    "persona_leanings",
    sa.MetaData(),
    sa.Column("persona", _text, primary_key=True),
    sa.Column("listener", _text, primary_key=True),
    sa.Column("leaning", _text, nullable=False),
    sa.Column("kept_s", sa.Double(), nullable=False),
    sa.Column("expires_s", sa.Double(), nullable=False),
)
_l = _leanings.c


def keep(
    connection: sa.Connection,
    whose: tuple[str, str],
    leaning: Leaning,
    kept_s: float,
    expires_s: float,
) -> None:
    """Instead of the one there, and without those that have expired by now."""
    same = sa.and_(_l.persona == whose[0], _l.listener == whose[1])
    connection.execute(sa.delete(_leanings).where(sa.or_(same, _l.expires_s <= kept_s)))
    row = {
        "persona": whose[0],
        "listener": whose[1],
        "leaning": json.dumps(asdict(leaning)),
        "kept_s": kept_s,
        "expires_s": expires_s,
    }
    connection.execute(sa.insert(_leanings), row)


def find(connection: sa.Connection, whose: tuple[str, str], at_s: float) -> Leaning | None:
    """None where nobody kept one, where it has expired, and where another program's fields are in it.

    Raises
    ------
    ValueError
        For a text that is no JSON.
    """
    same = sa.and_(_l.persona == whose[0], _l.listener == whose[1], _l.expires_s > at_s)
    text = connection.scalar(sa.select(_l.leaning).where(same))
    if text is None:
        return None
    values = json.loads(text)
    if not isinstance(values, dict) or set(values) != {each.name for each in fields(Leaning)}:
        return None
    try:
        return Leaning(**values | {"lean": Manner(**values["lean"])})
    except TypeError:
        return None


def forget(connection: sa.Connection, persona: str, listener: str, until_s: float) -> bool:
    """Whether one was kept by then, and is erased."""
    theirs = sa.and_(_l.persona == persona, _l.listener == listener, _l.kept_s <= until_s)
    return connection.execute(sa.delete(_leanings).where(theirs)).rowcount > 0


def erase(connection: sa.Connection, persona: str) -> None:
    connection.execute(sa.delete(_leanings).where(_l.persona == persona))
