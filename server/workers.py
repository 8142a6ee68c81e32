"""Several worker processes on one listening socket: started together, replaced when one dies, drained together."""

import logging
import multiprocessing
import multiprocessing.forkserver
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

from server import worker
from server.operator_error import OperatorError
from server.settings import Settings

logger = logging.getLogger(__name__)

START_S = 60.0  # within which a worker answers, or has failed
REPLACE_EVERY_S = 1.0  # a worker that dies at once is not replaced in a tight loop
KILL_AFTER_S = worker.DRAIN_S + 3.0  # what does not drain is killed

# Workers are forked from a process that has imported the application once and started no thread: each is up at once,
# they share that memory, and no lock of the parent's threads is copied.
_context = multiprocessing.get_context("forkserver")


def import_ahead(application: str) -> None:
    """Begin to import `application` (`module:factory`) in the process that workers are forked from."""
    _context.set_forkserver_preload(["server.cli", "server.worker", application.partition(":")[0]])
    multiprocessing.forkserver.ensure_running()


class WorkersFailed(OperatorError):
    """A worker did not start; it has said why."""


@dataclass(frozen=True, slots=True)
class _Worker:
    process: ForkServerProcess
    ready: Connection


class Workers:
    """`count` workers. `run` returns when a signal arrives as KeyboardInterrupt."""

    def __init__(self, settings: Settings, listener: socket.socket, application: str, count: int) -> None:
        self._settings = settings
        self._listener = listener
        self._application = application
        self._count = count
        # The workers hold the reading end; ours closes with us, however we end.
        self._life_of_worker, self._life = _context.Pipe(duplex=False)
        self._workers: list[_Worker] = []

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until interrupted. Raises `WorkersFailed` when one does not come up at the start."""
        try:
            self._workers = [self._start() for _ in range(self._count)]
            for one in self._workers:
                _await_ready(one)
            on_ready()
            self._replace_the_dead()
        finally:
            self._drain()

    def _start(self) -> _Worker:
        ready, ready_of_worker = _context.Pipe(duplex=False)
        process = _context.Process(
            target=worker.run_in_process,
            args=(self._settings, self._listener, self._application, ready_of_worker, self._life_of_worker),
        )
        try:
            process.start()
        except (EOFError, ConnectionError) as error:
            raise WorkersFailed("the application cannot be imported") from error
        ready_of_worker.close()  # now its end breaks when the worker does
        return _Worker(process, ready)

    def _replace_the_dead(self) -> None:
        while True:
            wait([one.process.sentinel for one in self._workers])
            for place, one in enumerate(self._workers):
                if not one.process.is_alive():
                    logger.error("worker %d ended (%s); starting another", one.process.pid, one.process.exitcode)
                    one.ready.close()
                    time.sleep(REPLACE_EVERY_S)
                    self._workers[place] = self._start()

    def _drain(self) -> None:
        self._listener.close()  # or callers would wait in its queue for nobody
        for one in self._workers:
            one.process.terminate()
        deadline = time.monotonic() + KILL_AFTER_S
        for one in self._workers:
            one.process.join(max(0.0, deadline - time.monotonic()))
            if one.process.is_alive():
                logger.error("worker %d did not drain; killed", one.process.pid)
                one.process.kill()
                one.process.join()


def _await_ready(one: _Worker) -> None:
    try:
        if one.ready.poll(START_S):
            one.ready.recv()
            return
    except EOFError:
        pass
    raise WorkersFailed(f"worker {one.process.pid} did not start")
