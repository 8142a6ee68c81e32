"""PostgreSQL in the data folder: started on demand, shared by every process that uses the folder, kept alive.

Three locks, of the kind that the kernel drops when their last holder dies, so that none is ever stale:
- `pg.start`    exclusive, while somebody starts or stops it: short, and waited for with a limit
- `pg.users`    shared, by each process that uses it; who leaves last stops it: no command line can stop it under a
                server, and no count is wrong after a kill -9
- `pg.running`  by PostgreSQL itself, inherited: while it is taken the data is in use, whatever the process id and in
                whatever container; while it is free a leftover `postmaster.pid` is stale

PostgreSQL runs in a session of its own: Ctrl-C in a terminal does not reach it before the server has drained. When the
server is killed it runs on, and the next start adopts it.
"""

import contextlib
import logging
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil

from server.embedded_cluster import PROGRAMS, Cluster, runs
from server.embedded_host import POLL_S, EmbeddedError, FileLock, let_through, os_user, socket_folder

logger = logging.getLogger(__name__)

START_LOCK_S = 60.0  # what another process may take to start or stop it before we give up
LET_GO_S = 10.0  # what killed processes may take to let go of the data
FAST_STOP_S = 60.0  # a shutdown writes a checkpoint; then it is stopped at once, which costs the next start a recovery
WATCH_S = 0.2
BACK_OFF_MAX_S = 5.0
PATIENCE_S = 10.0  # how often a long recovery is mentioned


class EmbeddedPostgres:
    """One data folder's PostgreSQL, as one process uses it: `with EmbeddedPostgres(folder) as url: …`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.url = ""  # the owner's; the same after each restart
        self._cluster = Cluster(self.data_dir, None)
        self._sockets = self.data_dir
        self._users: FileLock | None = None
        self._child: subprocess.Popen[bytes] | None = None  # None where another process started it
        self._postmaster: psutil.Process | None = None
        self._leaving = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> str:
        """Started, or adopted where it runs already; watched from now on. Returns the owner's URL.

        `EmbeddedError` says in one line why it cannot run.
        """
        self._leaving.clear()
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with self._start_lock():
                self._users = FileLock(self.data_dir / "pg.users")
                self._users.shared()
                self._prepare()
                self._ensure_running()
        except OSError as error:
            self._leave()
            raise EmbeddedError(f"cannot use the data folder {self.data_dir}: {error}") from error
        except EmbeddedError:
            self._leave()
            raise
        self._watcher = threading.Thread(target=self._watch, name="postgres-watcher", daemon=True)
        self._watcher.start()
        return self.url

    def stop(self) -> None:
        """Leave, and stop it when no other process uses it."""
        self._leaving.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        if self._users is None:
            return
        try:
            with self._start_lock():
                if self._users.try_exclusive():
                    self._shut_down()
        finally:
            self._leave()

    def alive(self) -> bool:
        """Its first process runs."""
        if self._child is not None and self._child.poll() is not None:  # poll also reaps it
            return False
        return self._postmaster is not None and runs(self._postmaster)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextlib.contextmanager
    def _start_lock(self) -> Iterator[None]:
        with FileLock(self.data_dir / "pg.start") as lock:
            if not lock.wait_exclusive(START_LOCK_S):
                raise EmbeddedError(
                    f"another process has been starting or stopping the database in {self.data_dir} "
                    f"for {START_LOCK_S:.0f} s; see {self._cluster.log_path}"
                )
            yield

    def _leave(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None

    def _prepare(self) -> None:
        """The OS user, the data directory, the way to it and the socket."""
        user = os_user()
        self._cluster = cluster = Cluster(self.data_dir, user)
        if not cluster.data.exists():
            if user is not None:
                let_through(user, PROGRAMS, self.data_dir)
            cluster.make()
        elif user is not None:
            let_through(user, PROGRAMS, cluster.data)
        cluster.check()
        self._sockets = socket_folder(cluster.data, cluster.owner_uid())
        self.url = f"postgresql://postgres@/postgres?host={quote(str(self._sockets))}&port=5432"

    def _ensure_running(self) -> None:
        """Under the start lock: adopt what runs, else start it."""
        self._child = None
        self._postmaster = self._cluster.postmaster()
        if self._postmaster is None:
            with FileLock(self.data_dir / "pg.running") as running:
                self._free_data(running)
                self._child = self._cluster.spawn(self._sockets, running.descriptor)
            self._postmaster = psutil.Process(self._child.pid)
        self._await_ready()

    def _free_data(self, running: FileLock) -> None:
        """Take the lock of the data; its first process is gone, so what still holds it was left behind."""
        if running.try_exclusive():
            return
        for process in self._cluster.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if not running.wait_exclusive(LET_GO_S):
            raise EmbeddedError(
                f"{self._cluster.data} is in use by a PostgreSQL that is not to be seen from here, "
                "such as one in another container; stop that first"
            )

    def _await_ready(self) -> None:
        """However long a recovery takes, while it lives."""
        said_at = time.monotonic()
        while not self._cluster.ready():
            if not self.alive():
                raise EmbeddedError(f"PostgreSQL does not start: {self._cluster.last_words()}")
            if self._leaving.is_set():
                raise EmbeddedError("asked to stop while PostgreSQL was starting")
            if time.monotonic() - said_at > PATIENCE_S:
                said_at = time.monotonic()
                logger.info("the database is recovering; see %s", self._cluster.log_path)
            time.sleep(POLL_S)

    def _shut_down(self) -> None:
        """Under the start lock, as the last user. Goes by the lock, as a start that was cut short knows of no process."""
        with FileLock(self.data_dir / "pg.running") as running:
            if running.try_exclusive():
                return
            # SIGINT: connections end, a checkpoint is written. SIGQUIT: at once; the next start recovers from the log.
            for number, patience_s in ((signal.SIGINT, FAST_STOP_S), (signal.SIGQUIT, LET_GO_S)):
                self._signal(number)
                if running.wait_exclusive(patience_s):
                    break
            else:
                logger.error("PostgreSQL in %s does not stop; see %s", self._cluster.data, self._cluster.log_path)
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(LET_GO_S)

    def _signal(self, number: int) -> None:
        """To its first process, as soon as that has written down that it is the one."""
        deadline = time.monotonic() + LET_GO_S
        while time.monotonic() < deadline:
            postmaster = self._cluster.postmaster()
            if postmaster is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    postmaster.send_signal(number)
                return
            time.sleep(POLL_S)

    def _watch(self) -> None:
        """Bring it back whenever it dies: a PANIC on a full disk, the kernel's memory killer, kill -9."""
        back_off_s = WATCH_S
        while not self._leaving.wait(back_off_s):
            if self.alive():
                back_off_s = WATCH_S
                continue
            logger.error("the database died; starting it again; see %s", self._cluster.log_path)
            began_at = time.monotonic()
            try:
                with self._start_lock():
                    self._ensure_running()
            except (EmbeddedError, OSError, psutil.Error) as error:
                back_off_s = min(back_off_s * 2, BACK_OFF_MAX_S)
                logger.error("the database did not come back: %s", error)  # noqa: TRY400 -- one line, no traceback
            else:
                logger.warning("the database is back after %.1f s", time.monotonic() - began_at)
