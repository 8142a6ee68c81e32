"""The hub: after a commit it wakes whoever watches an account or a configuration, in this process and in others.

It carries ids and versions, never data: a subscriber that is woken reads again under its own rights. A lost
message must not matter, so a subscriber (1) subscribes, (2) reads the present state, (3) reads again whenever it is
woken, and (4) on a slow heartbeat (`Signals.next` with a timeout) anyway.

    async with hub.subscribe(workspace_id, customer_id, credit_type_id) as signals:
        send(await read())
        while (signal := await signals.next(timeout_s=30)) != "stopped":
            send_if_newer(await read())

Broadcaster carries the messages by one subscription per process; the fan-out to the subscribers is ours.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from typing import Literal, Self, TypeVar

from broadcaster import Broadcast

from server.live_changes import Changes, Window
from server.live_postgres import CHANNEL, HEARTBEAT_S, Listener, PostgresBackend

WINDOW_S = 0.05  # a busy account is announced 20 times a second, not once for each burn
DISPUTES = 0  # no credit type has this id
TOP_UPS = -1  # nor this one
EVERYBODY = 0  # no customer has this id
DIRTY_MAX = 256  # a subscriber further behind than this reads everything again

Signal = Literal["changed", "timeout", "stopped"]
Key = TypeVar("Key")

_log = logging.getLogger(__name__)


class Signals:
    """What one subscriber has not looked at yet: newest wins, nothing queues, however slow it is."""

    __slots__ = ("_dirty", "_dirty_everything", "_only", "_raised", "_stopped", "everything", "versions")

    def __init__(self, only: int | None = None) -> None:
        self._only = only
        self._raised = asyncio.Event()
        self._dirty: dict[int, int] = {}
        self._dirty_everything = False
        self._stopped = False
        self.versions: dict[int, int] = {}
        """After "changed": what is newer, by credit type (for a configuration: by workspace), and its version."""
        self.everything = False
        """After "changed": messages may have been missed; whatever is watched must be read again."""

    async def next(self, timeout_s: float) -> Signal:
        """Waits until something changed since the last call ("changed"; see `versions` and `everything`).

        "timeout": nothing was heard; read again anyway. "stopped": the hub has stopped, nothing more will come.
        """
        if not self._raised.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._raised.wait()
        if self._stopped:
            return "stopped"
        if not self._raised.is_set():
            return "timeout"
        self._raised.clear()
        self.versions, self._dirty = self._dirty, {}
        self.everything, self._dirty_everything = self._dirty_everything, False
        return "changed"

    def mark(self, which: int, version: int) -> None:
        """The hub's: something is newer."""
        if self._only is not None and which != self._only:
            return
        known = self._dirty.get(which)
        if known is None or known < version:
            self._dirty[which] = version
        if len(self._dirty) > DIRTY_MAX:
            self._dirty, self._dirty_everything = {}, True
        self._raised.set()

    def mark_everything(self) -> None:
        """The hub's: messages may have been missed."""
        self._dirty_everything = True
        self._raised.set()

    def stop(self) -> None:
        """The hub's: it is over."""
        self._stopped = True
        self._raised.set()


@dataclass(frozen=True, slots=True)
class HubState:
    """`listening`: others are heard; `connects`: how often listening began; `waiting`: versions not sent yet;
    `sent`: NOTIFY payloads; `send_failures`: attempts, each of which is repeated."""

    subscribers: int
    listening: bool
    connects: int
    waiting: int
    sent: int
    send_failures: int


class Hub:
    """One for each process; used from its event loop only.

    `memory://`: our messages stay in this process; those of others (the command line importing events) are heard
    on the database. `postgres://…`: any number of processes. See `publisher` for a process that only sends.
    """

    def __init__(
        self,
        broadcast_url: str,
        database_url: str,
        *,
        publish_only: bool = False,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        """Raises ValueError for a broadcast address that is neither `memory://` nor PostgreSQL's."""
        scheme, separator, _ = broadcast_url.partition("://")
        if not separator or scheme not in {"memory", "postgres", "postgresql"}:
            raise ValueError(f"cannot broadcast by {scheme!r}: memory:// and postgres://… are what there is")
        self._window = Window()
        self._window_end: asyncio.TimerHandle | None = None
        self._other = Changes()  # what waits to be carried besides our accounts: configurations, news of others
        self._work = asyncio.Event()
        self._by_account: dict[tuple[int, int], set[Signals]] = {}
        self._by_configuration: dict[int | None, set[Signals]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False
        self._publish_only = publish_only
        self._backend: PostgresBackend | None = None
        self._outside: Listener | None = None
        if scheme == "memory" and not publish_only:
            self._broadcast = Broadcast("memory://")
            self._outside = Listener(database_url, secrets.token_hex(4), self._carry, heartbeat_s)
        else:
            url = database_url if scheme == "memory" else broadcast_url
            self._backend = PostgresBackend(url, listen=not publish_only, heartbeat_s=heartbeat_s)
            self._broadcast = Broadcast(backend=self._backend)
        self._near = self._backend is None  # only this process can be listening to us

    @classmethod
    def publisher(cls, broadcast_url: str, database_url: str) -> Self:
        """A hub for a process without subscribers: what it publishes reaches the servers, also under `memory://`.

        `stop` sends what waits, for two seconds at most.
        """
        return cls(broadcast_url, database_url, publish_only=True)

    async def start(self) -> None:
        """Never fails because the broker is away: it is tried again until it is there, then everybody is woken."""
        await self._broadcast.connect()
        if not self._publish_only:
            subscribed = asyncio.Event()
            self._run(self._read(subscribed), "live reader")
            await subscribed.wait()
        self._run(self._send(), "live sender")
        if self._outside is not None:
            await self._outside.start()
        for signals in self._everybody():
            signals.mark_everything()  # who subscribed before could not be told anything

    async def stop(self) -> None:
        """Sends what waits, then ends every subscription with "stopped"."""
        self._stopped = True
        if self._window_end is not None:
            self._window_end.cancel()
        if self._outside is not None:
            await self._outside.stop()
        self._window.turn()
        if self._tasks:
            await self._send_now()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:  # else it was never started
            await self._broadcast.disconnect()
        for signals in self._everybody():
            signals.stop()

    def publish(self, workspace_id: int, customer_id: int, credit_type_id: int, version: int) -> None:
        """Announce an account's newest version, after the commit. Never blocks, never raises.

        Goes out at once after quiet, else at the end of the window of WINDOW_S; the last version always arrives.
        """
        if self._near and (workspace_id, customer_id) not in self._by_account:
            return  # whoever subscribes later reads the present state first
        if self._window.offer((workspace_id, customer_id, credit_type_id), version):
            self._work.set()

    def publish_config(self, workspace_id: int, version: int) -> None:
        """Announce a workspace's newest configuration, after the commit. Never blocks, never raises."""
        self._carry(Changes(configurations={workspace_id: version}))

    @contextlib.asynccontextmanager
    async def subscribe(
        self, workspace_id: int, customer_id: int, credit_type_id: int | None = None
    ) -> AsyncIterator[Signals]:
        """Watch one account, or (None) all accounts of a customer. Read the present state after entering."""
        async with self._subscribed(self._by_account, (workspace_id, customer_id), Signals(credit_type_id)) as signals:
            yield signals

    def publish_dispute(self, workspace_id: int, customer_id: int, version: int) -> None:
        """Announce that a customer's dispute changed, after the commit. Never blocks, never raises.

        It travels as an account of no credit type, to whoever watches that customer's disputes, and to whoever watches
        everybody's, which is a customer of no number.
        """
        for whose in (customer_id, EVERYBODY):
            self.publish(workspace_id, whose, DISPUTES, version)

    @contextlib.asynccontextmanager
    async def subscribe_disputes(self, workspace_id: int, customer_id: int | None) -> AsyncIterator[Signals]:
        """Watch the disputes of a customer, or (None) of all customers of a workspace."""
        whose = EVERYBODY if customer_id is None else customer_id
        async with self.subscribe(workspace_id, whose, DISPUTES) as signals:
            yield signals

    def publish_top_up(self, workspace_id: int, customer_id: int, version: int) -> None:
        """Announce that a top-up of the customer changed, after the commit. Never blocks, never raises."""
        self.publish(workspace_id, customer_id, TOP_UPS, version)

    def subscribe_top_ups(self, workspace_id: int, customer_id: int) -> contextlib.AbstractAsyncContextManager[Signals]:
        """Watch the top-ups of a customer."""
        return self.subscribe(workspace_id, customer_id, TOP_UPS)

    @contextlib.asynccontextmanager
    async def subscribe_config(self, workspace_id: int | None = None) -> AsyncIterator[Signals]:
        """Watch the configuration of a workspace, or (None) of all; `versions` is by workspace."""
        async with self._subscribed(self._by_configuration, workspace_id, Signals()) as signals:
            yield signals

    def state(self) -> HubState:
        """How it is doing, for metrics and readiness."""
        listener = self._backend.listener if self._backend is not None else self._outside
        notifier = self._backend.notifier if self._backend is not None else None
        return HubState(
            subscribers=sum(1 for _ in self._everybody()),
            listening=listener is not None and listener.connected,
            connects=listener.connects if listener is not None else 0,
            waiting=notifier.waiting if notifier is not None else 0,
            sent=notifier.sent if notifier is not None else 0,
            send_failures=notifier.failures if notifier is not None else 0,
        )

    @contextlib.asynccontextmanager
    async def _subscribed(self, watched: dict[Key, set[Signals]], key: Key, signals: Signals) -> AsyncIterator[Signals]:
        # Nothing is awaited between looking and storing, so that joining and leaving cannot overtake each other.
        watched.setdefault(key, set()).add(signals)
        if self._stopped:
            signals.stop()
        try:
            yield signals
        finally:
            watched[key].discard(signals)
            if not watched[key]:
                del watched[key]

    def _everybody(self) -> Iterator[Signals]:
        for group in (*self._by_account.values(), *self._by_configuration.values()):
            yield from group

    def _carry(self, changes: Changes) -> None:
        self._other.add(changes)
        self._work.set()

    async def _send(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            await self._send_now()

    async def _send_now(self) -> None:
        changes, self._other = self._other, Changes()
        changes.add(Changes(self._window.take()))
        if not self._window.quiet and self._window_end is None and not self._stopped:
            self._window_end = asyncio.get_running_loop().call_later(WINDOW_S, self._end_window)
        if changes:
            await self._broadcast.publish(CHANNEL, changes)

    def _end_window(self) -> None:
        self._window_end = None
        if self._window.turn():
            self._work.set()

    async def _read(self, subscribed: asyncio.Event) -> None:
        async with self._broadcast.subscribe(CHANNEL) as subscriber:
            subscribed.set()
            while True:
                event = await subscriber.get()
                self._fan_out(event.message)  # type: ignore[arg-type]  # Broadcaster passes on what it was given

    def _fan_out(self, changes: Changes) -> None:
        if changes.everything:
            for signals in self._everybody():
                signals.mark_everything()
            return
        for (workspace_id, customer_id, credit_type_id), version in changes.accounts.items():
            for signals in self._by_account.get((workspace_id, customer_id), ()):
                signals.mark(credit_type_id, version)
        for workspace_id, version in changes.configurations.items():
            for watcher in (workspace_id, None):
                for signals in self._by_configuration.get(watcher, ()):
                    signals.mark(workspace_id, version)

    def _run(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_report)
        self._tasks.append(task)


def _report(task: asyncio.Task[None]) -> None:
    """A task of the hub ends by being cancelled; anything else leaves the process deaf and must be seen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical(
            "%s ended: live updates of this process now come by heartbeat only", task.get_name(), exc_info=error
        )
