"""A PostgreSQL server for these tests alone: in a folder of its own, heard on no network."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa


def programs() -> Path | None:
    """Where initdb and postgres are; Debian does not put them on the path."""
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    places = ([Path(on_path).parent] if on_path else []) + newest_first
    return next((place for place in places if (place / "postgres").exists()), None)


def other_user() -> str | None:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return None
    there = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in there else "nobody"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of one that runs, without what comes after the ``?``."""
    place = programs()
    if place is None:
        pytest.skip("no PostgreSQL here; on Debian: apt install postgresql")
    user = other_user()
    folder = Path(tempfile.mkdtemp(prefix="pv-pg-"))  # short: the name of a socket may be
    if user:
        shutil.chown(folder, user)
    initdb = [place / "initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "--no-sync"]
    # A language that sorts "a" before "B", where the build can: the store must not follow it.
    for locale in (["--locale-provider=icu", "--icu-locale=en-US"], []):
        options = ["-E", "UTF8", "--locale=C", *locale]
        done = subprocess.run([*initdb, *options], user=user, cwd=folder, capture_output=True)
        if done.returncode == 0:
            break
        shutil.rmtree(folder / "data", ignore_errors=True)
    assert done.returncode == 0, done.stderr
    settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-k", folder]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [place / "postgres", "-D", folder / "data", *settings],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        socket = folder / ".s.PGSQL.5432"
        for _ in range(300):
            if socket.exists() and "ready to accept" in (folder / "log").read_text():
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"postgresql://tester@/postgres?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)  # does not wait for those who are connected
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql(server: str) -> str:
    """A schema of its own, as empty as a new database and sooner made."""
    name = f"test_{secrets.token_hex(4)}"
    engine = sa.create_engine(server.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    engine.dispose()
    return f"{server}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store, in each kind of database."""
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    return str(request.getfixturevalue("postgresql"))
