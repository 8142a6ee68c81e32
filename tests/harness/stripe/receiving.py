"""A webhook endpoint that keeps what it is sent, and answers what a test wants."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
import stripe
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.harness.stripe.serving import Serving, listening


@dataclass
class Received:
    body: bytes
    signature: str

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    def verified(self, secret: str) -> stripe.Event:
        """As the library says. Raises `SignatureVerificationError`."""
        return stripe.Webhook.construct_event(self.body, self.signature, secret)


@dataclass
class Receiver:
    """In the loop of the test. `answers`: the statuses of the next requests; 200 when there is none left."""

    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        listener = listening()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        application = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])
        config = uvicorn.Config(application, lifespan="off", ws="none", log_config=None, log_level="critical")
        self._server = Serving(config)
        self._serving = asyncio.create_task(self._server._serve(sockets=[listener]))
        while not self._server.started:
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.should_exit = self._server.force_exit = True  # nobody waits for what hangs
        await self._serving

    async def _take(self, request: Request) -> Response:
        self.received.append(Received(await request.body(), request.headers["stripe-signature"]))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    def types(self) -> list[str]:
        return [item.event["type"] for item in self.received]
