"""How a test holds the fake: started in a thread of this process or as one of its own, and every verb of `Controls`."""

import asyncio
import inspect
import os
import secrets
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import stripe
import uvicorn

from tests.harness.forking import end_with_parent
from tests.harness.stripe.api import Fake
from tests.harness.stripe.controls import Controls
from tests.harness.stripe.serving import ask, listening, serve
from tests.harness.tidy import REPOSITORY

TEST_KEY = "sk_test_fake"
START_S = 30.0


class Handle:
    """Verbs of `Controls` are methods here; those that are async there are awaited here."""

    url: str

    def __getattr__(self, verb: str) -> Any:
        done = getattr(Controls, verb, None)
        if verb.startswith("_") or done is None:
            raise AttributeError(verb)
        waiting = inspect.iscoroutinefunction(done)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._ask_later(verb, args, kwargs) if waiting else self._ask(verb, args, kwargs)

        return call

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Every webhook attempt in order."""
        found: list[dict[str, Any]] = self._ask("sent", (), {})
        return found

    def client(self, key: str = TEST_KEY, *, retries: int = 0, timeout_s: float = 10.0) -> stripe.StripeClient:
        """The official library, to be used with its `…_async` methods."""
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=retries,
            http_client=stripe.HTTPXClient(
                timeout=timeout_s, verify_ssl_certs=False
            ),  # there is no TLS; loading it is slow
        )

    def _ask(self, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError

    async def _ask_later(self, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class FakeStripe(Handle):
    """In a thread of this process, with a loop of its own. The seed is printed: pytest shows it when a test fails."""

    def __init__(self, *, seed: int | None = None, port: int = 0) -> None:
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        listener = listening(port)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        print(f"fake Stripe on {self.url}, seed {self.seed}", file=sys.stderr)
        started = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._server: uvicorn.Server

        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            fake = Fake(self.seed, self.url)
            self._controls = Controls(fake)

            def ready(server: uvicorn.Server) -> None:
                self._server = server
                started.set()

            await serve(fake, listener, ready)

        self._thread = threading.Thread(target=asyncio.run, args=(run(),), name="fake-stripe", daemon=True)
        self._thread.start()
        assert started.wait(START_S), "the fake did not start"

    def _ask(self, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(ask(self._controls, verb, list(args), kwargs), self._loop).result(
            START_S
        )

    async def _ask_later(self, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        asked = asyncio.run_coroutine_threadsafe(ask(self._controls, verb, list(args), kwargs), self._loop)
        return await asyncio.wrap_future(asked)

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True  # nobody waits for what hangs
        self._thread.join(START_S)


class FakeStripeProcess(Handle):
    """As a process of its own, asked by its control route."""

    def __init__(self, *, seed: int | None = None) -> None:
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        listener = listening()  # where it will listen; closed just before
        port = listener.getsockname()[1]
        listener.close()
        self.url = f"http://127.0.0.1:{port}"
        print(f"fake Stripe on {self.url}, seed {self.seed}", file=sys.stderr)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.stripe", "--port", str(port), "--seed", str(self.seed)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            preexec_fn=end_with_parent,  # noqa: PLW1509 -- one call into libc, no lock taken
        )
        # A connection of its own for each verb: one that is kept may be closed in the moment of its next use.
        alone = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=self.url, timeout=START_S, limits=alone)
        until = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, "the fake ended"
            assert time.monotonic() < until, "the fake did not start"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return self._http.post("/_fake/counters").status_code == 200
        except httpx.TransportError:
            return False

    def _ask(self, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        answer = self._http.post(f"/_fake/{verb}", json={"args": list(args), "kwargs": kwargs})
        said = answer.json()
        if "error" in said:
            raise AssertionError(f"{said['error']}: {said['message']}")
        return said["done"]

    async def _ask_later(self, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return await asyncio.to_thread(self._ask, verb, args, kwargs)

    def close(self) -> None:
        self._http.close()
        self.process.terminate()
        self.process.wait(START_S)
