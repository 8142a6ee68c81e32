"""Requests to addresses that somebody outside has chosen: to public ones alone, and to exactly the one that was checked.

A name is looked up once for each connection, everything that it stands for is checked, and one of those addresses is
connected to; the name stays what the certificate must show and what Host says. So a name that stands for another
address a moment later (rebinding) gains nothing. No redirects, no proxy of the environment, no cookies kept.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

import httpcore
import httpx

from credits import bounds
from credits.webhooks.addresses import Address, Network, is_allowed, may_be_called, parse, problem_of

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]

_LOOKUP_S = 3.0  # of a name, while somebody waits who makes an endpoint
_KEEP_ALIVE_S = 20.0
_USER_AGENT = "Scrip-Webhooks/1"
# Threads of their own: names that nobody answers for keep nobody else's work waiting.
_LOOKING_UP = ThreadPoolExecutor(16, thread_name_prefix="look-up")


class Refused(httpx.RequestError):
    """The address may not be called, or the name stands for none."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a receiver said: its status, the beginning of its answer, and what it asks us to wait."""

    status: int
    text: str
    retry_after: str | None


async def look_up(host: str, port: int) -> list[Address]:
    """What a name stands for, by the resolver of this machine; an address stands for itself. Raises `OSError`."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_LOOKING_UP, ask)
    return list(dict.fromkeys(ip_address(str(address[0]).partition("%")[0]) for *_, address in found))


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects as httpcore does, to the address that was checked instead of to a name."""

    def __init__(self, may_be_called: Callable[[Address], bool], resolve: Resolve) -> None:
        self._may_be_called = may_be_called
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"the name {host!r} cannot be looked up") from error
        if not found:
            raise httpcore.ConnectError(f"the name {host!r} stands for no address")
        if not all(map(self._may_be_called, found)):
            raise httpcore.ConnectError(f"refused: {host!r} leads to an address that may not be called")
        failure: Exception | None = None
        for address in found[:2]:  # the other family, where the first is not routed
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Outgoing:
    """One per process. `allowed` are networks that may be called though they are not public; `resolve` and `context`
    (TLS) are what tests put in the place of this machine's own."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        resolve: Resolve = look_up,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        context = context or httpx.create_ssl_context(trust_env=False)
        rules: dict[str, Callable[[Address], bool]] = {
            "https": lambda address: may_be_called(address, allowed),
            "http": lambda address: is_allowed(address, allowed),
        }
        self._clients = {scheme: _client(_CheckedNetwork(rule, resolve), context) for scheme, rule in rules.items()}

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def problem_of(self, url: str) -> str | None:
        """Why a URL can be no endpoint; None where it can. A name that nobody knows yet is let through: it is looked up
        again, and checked, with each request."""
        target = parse(url)
        if isinstance(target, str):
            return target
        found: Sequence[Address] = ()
        if target.literal is not None:
            found = [target.literal]
        else:
            try:
                async with asyncio.timeout(_LOOKUP_S):
                    found = await self._resolve(target.host, target.port)
            except (OSError, UnicodeError):
                found = ()
        return problem_of(target, found, self._allowed)

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answered:
        """One request, 15 s at most in all. Raises `Refused`, `httpx.HTTPError`, `TimeoutError`."""
        async with asyncio.timeout(bounds.WEBHOOK_TIMEOUT.total_seconds()):
            target = parse(url)
            if isinstance(target, str):
                raise Refused(target)
            client = self._clients[target.scheme]
            client.cookies.clear()
            async with client.stream("POST", url, content=body, headers=headers) as answer:
                text = await _beginning(answer)
                return Answered(answer.status_code, text, answer.headers.get("Retry-After"))


def _client(checked: _CheckedNetwork, context: ssl.SSLContext) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001 -- the one way to give httpx a network of ours
        ssl_context=context,
        network_backend=checked,
        max_connections=None,
        max_keepalive_connections=32,
        keepalive_expiry=_KEEP_ALIVE_S,
    )
    return httpx.AsyncClient(
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        timeout=bounds.WEBHOOK_TIMEOUT.total_seconds(),
        headers={"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
    )


async def _beginning(answer: httpx.Response) -> str:
    """As much of an answer as the log may want; the rest is not read, and its connection not used again."""
    read = bytearray()
    async for part in answer.aiter_raw():
        read += part
        if len(read) >= bounds.WEBHOOK_RESPONSE_BYTES_MAX:
            break
    return bytes(read[: bounds.WEBHOOK_RESPONSE_BYTES_MAX]).decode(errors="replace")
