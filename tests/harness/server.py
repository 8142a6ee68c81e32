"""`scrip serve` as a real process: started, asked, killed, started again on the same port and data."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from tests.harness.forking import Forked, end_with_parent

SCRIP = (sys.executable, "-m", "server.cli")
START_S = 60.0  # the machine may be busy
STOP_S = 60.0
POLL_S = 0.02
SECRET_KEY = "the same in every process of a test, and long enough"


class NotReady(AssertionError):
    """The server ended, or said nothing, before it was ready; the message carries its log."""


@dataclass(frozen=True)
class Completed:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def free_port() -> int:
    """A port that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One `scrip serve` on `data_dir` (embedded database) or on `database_url`. Settings by name, without SCRIP_."""

    def __init__(
        self,
        data_dir: Path,
        *,
        database_url: str = "",
        workers: int = 1,
        program: tuple[str, ...] = (*SCRIP, "serve"),
        **settings: str,
    ) -> None:
        self.data_dir = data_dir
        self.workers = workers
        self.program = program
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {name.upper(): value for name, value in settings.items()}
        if database_url:
            self.settings = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, **self.settings}
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self.log_path = data_dir.with_name(f"{data_dir.name}.{self.port}.log")
        self._log_from = 0

    @property
    def environment(self) -> dict[str, str]:
        """Ours, without the settings of whoever runs the tests."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SCRIP_")}
        return ours | {f"SCRIP_{name}": value for name, value in self.settings.items()}

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    @property
    def logs(self) -> str:
        """What it wrote since the last start."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_from)
            return log.read().decode(errors="replace")

    async def start(self) -> None:
        """Started, and ready."""
        self.spawn()
        await self.until_ready()

    def spawn(self) -> None:
        """Started, not yet ready."""
        options = ("--port", str(self.port), "--workers", str(self.workers), "--data-dir", str(self.data_dir))
        with self.log_path.open("ab") as log:
            self._log_from = log.tell()
            place = {"stdout": log, "stderr": log, "env": self.environment, "cwd": self.data_dir.parent}
            python, *program = self.program
            if program[0] in {"-m", "-c"}:
                self.process = Forked([*program, *options], stdin=None, **place)
                return
            self.process = subprocess.Popen(
                [python, *program, *options],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # so that kill takes its workers too, and nobody else
                preexec_fn=end_with_parent,  # noqa: PLW1509 -- one call into libc, no lock taken
                **place,
            )

    async def until_ready(self) -> None:
        until = time.monotonic() + START_S
        while "ready http://" not in self.logs:
            assert self.process is not None, "not started"
            if self.process.poll() is not None:
                raise NotReady(f"exit {self.process.returncode} before it was ready:\n{self.logs}")
            if time.monotonic() > until:
                raise NotReady(f"not ready after {START_S} s:\n{self.logs}")
            await asyncio.sleep(POLL_S)

    async def kill(self) -> None:
        """kill -9, its workers too; an embedded PostgreSQL runs on."""
        os.killpg(self.pid, signal.SIGKILL)
        await self.wait()

    async def terminate(self) -> int:
        """SIGTERM, as every supervisor sends it; the exit status."""
        assert self.process is not None, "not started"
        self.process.terminate()
        return await self.wait()

    async def wait(self) -> int:
        """Its end; the exit status."""
        assert self.process is not None, "not started"
        return await asyncio.to_thread(self.process.wait, STOP_S)

    async def close(self) -> None:
        """Stopped, however the test left it, its embedded PostgreSQL too."""
        if self.process is not None and self.process.poll() is None:
            await self.terminate()
        if (self.data_dir / "pg" / "postmaster.pid").exists():  # killed: the next user of the folder stops it
            await self.command("migrate")

    async def command(self, *arguments: str, stdin: str | None = None) -> Completed:
        """`scrip …` on the same database and settings."""
        with TemporaryFile() as asks, TemporaryFile() as says, TemporaryFile() as warns:
            asks.write((stdin or "").encode())
            asks.seek(0)
            command = (*SCRIP[1:], *arguments, "--data-dir", str(self.data_dir))
            place = {"env": self.environment, "cwd": self.data_dir.parent}
            process = Forked(command, stdin=asks, stdout=says, stderr=warns, **place)
            status = await process.ended()
            for written in (says, warns):
                written.seek(0)
            return Completed(status, says.read().decode(), warns.read().decode())

    async def create_key(self, workspace: str, role: str, *, test: bool = True) -> str:
        """A secret key, by the command line; the workspace is made when new."""
        options = ("--workspace", workspace, "--role", role, *(["--test"] if test else []))
        done = await self.command("keys", "create", *options)
        assert done.returncode == 0, done
        return done.stdout.strip()
