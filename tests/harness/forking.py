"""Python programs that need not import Scrip first: forked from one process that has, and otherwise started like any.

`python -m server.cli …` spends 1.4 s of the processor on imports, and a run starts some hundreds of them. Workers of
`scrip serve --workers` are forked in the same way. Each is a process of its own session, which ends when the tests do.
Those that are not a module or a `-c` are started from nothing, and so is `scrip demo` in e2e/.
"""

import asyncio
import ctypes
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from tests.harness.tidy import REPOSITORY

IMPORTED = ("server.cli", "server.worker", "server.app")
READ_BYTES = 1 << 16


def end_with_parent() -> None:
    """In a new process: SIGTERM when its parent ends (Linux's PR_SET_PDEATHSIG), or servers would pile up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Forked:
    """As much of `subprocess.Popen` as is needed here."""

    returncode: int | None = None

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: IO[Any] | None,
        stdout: IO[Any],
        stderr: IO[Any],
        env: Mapping[str, str],
        cwd: Path,
    ) -> None:
        reading, writing = os.pipe()
        self._said = os.fdopen(reading, "rb", buffering=0)
        wish = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}
        with Path(os.devnull).open("rb") as nothing, os.fdopen(writing, "wb"):
            files = [(stdin or nothing).fileno(), stdout.fileno(), stderr.fileno(), writing]
            socket.send_fds(_origin(), [json.dumps(wish).encode(), b"\n"], files)
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("forked", timeout or 0)
        return status

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    async def ended(self) -> int:
        """Its exit status, without a thread that waits for it."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        if self.returncode is None:
            loop.add_reader(self._said, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._said)
        return self.wait()

    def _status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._said], [], [], timeout)[0]:
            self.returncode = int(self._said.readline())
            self._said.close()
        return self.returncode


@cache
def _origin() -> socket.socket:
    """Where to ask for a process; it is started with the first of them, and ends with us."""
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.harness.forking", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if not name.startswith("SCRIP_")},
            cwd=REPOSITORY,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 -- one call into libc, no lock taken
        )
    return ours


# ─── in the process that they are forked from ──────────────────────────────────────────────────────────────────
def originate(asked: socket.socket) -> None:
    """Fork whatever is asked for. Returns where nobody asks any more, and in each new process when that is done."""
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who stands by waits, we do not
    while True:
        message, files, *_ = socket.recv_fds(asked, READ_BYTES, 4)
        if not message:
            return
        while not message.endswith(b"\n"):  # the next one comes when this one is answered
            message += asked.recv(READ_BYTES)
        if not os.fork():
            asked.close()
            _stand_by(files)
            _become(json.loads(message), files)
            return
        for file in files:
            os.close(file)


def _stand_by(files: list[int]) -> None:
    """Fork once more: the parent tells how the child ends, and only the child returns."""
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *_, said = files
    pid = os.fork()
    if pid:
        os.write(said, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(said, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)


def _become(wish: dict[str, Any], files: list[int]) -> None:
    end_with_parent()
    os.setsid()
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.chdir(wish["cwd"])
    os.environ.clear()
    os.environ.update(wish["env"])
    option, program, *arguments = wish["arguments"]
    sys.argv = [program if option == "-m" else option, *arguments]
    if option == "-m":
        sys.modules.pop(program, None)  # it is there as __main__, and under its name only where somebody imports it
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(program, main.__dict__)


if __name__ == "__main__":
    originate(socket.socket(fileno=int(sys.argv[1])))
