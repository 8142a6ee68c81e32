"""Carrying changes between processes by PostgreSQL's LISTEN and NOTIFY, over connections of their own.

Never inside the database transaction that spends: NOTIFY takes a lock that all notifying commits share, and a full
queue fails the commit. Nothing here raises into a caller, and a lost message does not matter: after every (re)connect
everything is read again.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable

import asyncpg
from broadcaster import BroadcastBackend, Event

from server.live_changes import Changes, decode, encode, payload_prefix

CHANNEL = "scrip_live"
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 5.0
HEARTBEAT_S = 10.0  # how long a connection may be dead without a sign of it (a network that swallows everything)
NOTIFY_GAP_S = 0.01  # at most 100 NOTIFY a second and process, however many batches commit
FLUSH_S = 2.0  # how long a stop waits for what was not sent yet
RETRY_S_MAX = 1.0
QUEUE_USAGE_ALARM = 0.5  # share of PostgreSQL's notification queue; when it is full, every NOTIFY fails

# Many payloads, one database transaction, one turn of the lock that all notifying commits share.
NOTIFY_SQL = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
# Without waiting for the disk: a message that a crash loses does not matter, and the lock is held that much shorter.
NOTIFY_SETUP_SQL = "SET synchronous_commit = off"
# Proves that the listening session lives, and looks how full the queue is.
HEARTBEAT_SQL = "SELECT pg_notification_queue_usage()"

_log = logging.getLogger(__name__)


class _Retry:
    """Waits between attempts: doubling up to RETRY_S_MAX, with jitter so that processes do not come back in step."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.failures = 0

    async def wait(self, error: Exception) -> None:
        """Say it once, then wait for the next attempt."""
        level = logging.DEBUG if self.failures else logging.WARNING
        _log.log(level, "%s: no connection, trying again: %r", self._what, error)
        self.failures += 1
        pause_s = min(RETRY_S_MAX, 0.025 * 2.0 ** min(self.failures, 10))
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 (jitter, not a secret)

    def done(self) -> None:
        """It worked."""
        if self.failures:
            _log.info("%s: connected again", self._what)
        self.failures = 0


async def _connect(url: str, name: str) -> asyncpg.Connection:
    # No named prepared statements: the URL may lead through a pooler.
    return await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        statement_cache_size=0,
        server_settings={"application_name": name},
    )


class Listener:
    """One LISTEN connection, for as long as it is started.

    `hear` is called with what others sent, and with `everything` whenever listening begins later than `start`
    returned: what was sent before is not known. It is never called with what `sender` itself sent.
    """

    def __init__(
        self, url: str, sender: str, hear: Callable[[Changes], None], heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._url = url
        self._echo = payload_prefix(sender)
        self._hear = hear
        self._heartbeat_s = heartbeat_s
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connected = False
        self.connects = 0

    async def start(self) -> None:
        """Returns after the first attempt, whether it succeeded or not; further ones follow by themselves."""
        self._task = asyncio.create_task(self._run(), name="live listener")
        await self._tried.wait()

    async def stop(self) -> None:
        await _cancel(self._task)

    async def _run(self) -> None:
        retry = _Retry("live listener")
        while True:
            try:
                connection = await _connect(self._url, "scrip live listener")
                try:
                    await self._listen(connection, retry)
                finally:
                    self.connected = False
                    connection.terminate()
            except Exception as error:  # noqa: BLE001 (whatever it was: a hub that stops listening helps nobody)
                self._tried.set()
                await retry.wait(error)

    async def _listen(self, connection: asyncpg.Connection, retry: _Retry) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, self._on_notify)
        retry.done()
        self.connects += 1
        self.connected = True
        # From here on everything is heard; what was committed before is visible to whoever reads now.
        if self._tried.is_set():
            self._hear(Changes(everything=True))
        self._tried.set()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await lost.wait()
            if lost.is_set():
                raise ConnectionResetError("closed by the server")
            usage = await connection.fetchval(HEARTBEAT_SQL)
            if usage > QUEUE_USAGE_ALARM:
                _log.warning("PostgreSQL's notification queue is %d%% full: some listener is stuck", usage * 100)

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        text = str(payload)
        if not text.startswith(self._echo):
            self._hear(decode(text))


class Notifier:
    """One connection that sends; what is offered while a NOTIFY is under way, or the broker away, is merged."""

    def __init__(self, url: str, sender: str) -> None:
        self._url = url
        self._sender = sender
        self._outgoing = Changes()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self.failures = 0
        self.sent = 0

    @property
    def waiting(self) -> int:
        """How many versions wait to be sent."""
        return len(self._outgoing.accounts) + len(self._outgoing.configurations)

    def offer(self, changes: Changes) -> None:
        """Send it soon, or when the broker is back; never blocks, never raises."""
        self._outgoing.add(changes)
        self._idle.clear()
        self._work.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="live notifier")

    async def stop(self) -> None:
        """Sends what waits, for FLUSH_S at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self._idle.wait()
        await _cancel(self._task)
        self._drop()

    async def _run(self) -> None:
        retry = _Retry("live notifier")
        while True:
            await self._work.wait()
            self._work.clear()
            batch, self._outgoing = self._outgoing, Changes()
            try:
                await self._notify(batch)
            except Exception as error:  # noqa: BLE001 (whatever it was: the newest state is sent again)
                self.failures += 1
                self._drop()
                self.offer(batch)
                await retry.wait(error)
                continue
            retry.done()
            if not self._outgoing:
                self._idle.set()
            await asyncio.sleep(NOTIFY_GAP_S)

    async def _notify(self, changes: Changes) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await _connect(self._url, "scrip live notifier")
            await self._connection.execute(NOTIFY_SETUP_SQL)
        payloads = encode(self._sender, changes)
        await self._connection.execute(NOTIFY_SQL, CHANNEL, payloads)
        self.sent += len(payloads)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class PostgresBackend(BroadcastBackend):
    """What Broadcaster's own PostgreSQL backend is not: safe to publish to at once from everywhere, and unbreakable.

    Messages are `Changes`. Our own reach our subscribers directly, also while the broker is away.
    """

    def __init__(self, url: str, *, listen: bool = True, heartbeat_s: float = HEARTBEAT_S) -> None:
        sender = secrets.token_hex(4)
        self.notifier = Notifier(url, sender)
        self.listener = Listener(url, sender, self._hear, heartbeat_s) if listen else None
        self._heard = Changes()
        self._something = asyncio.Event()

    async def connect(self) -> None:
        await self.notifier.start()
        if self.listener is not None:
            await self.listener.start()

    async def disconnect(self) -> None:
        await self.notifier.stop()
        if self.listener is not None:
            await self.listener.stop()

    async def subscribe(self, channel: str) -> None:
        """Nothing to do: there is one channel, and it is listened to from the start."""

    async def unsubscribe(self, channel: str) -> None:
        """Nothing to do, see `subscribe`."""

    async def publish(self, channel: str, message: Changes) -> None:  # noqa: ARG002 (there is one channel)
        self.notifier.offer(message)
        if self.listener is not None:
            self._hear(message)

    async def next_published(self) -> Event:
        await self._something.wait()
        self._something.clear()
        heard, self._heard = self._heard, Changes()
        return Event(CHANNEL, heard)  # type: ignore[arg-type]  # Broadcaster passes on what it was given

    def _hear(self, changes: Changes) -> None:
        self._heard.add(changes)
        self._something.set()


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
