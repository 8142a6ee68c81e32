"""The sender: takes what the outbox holds to whoever wants it, in every process, for as long as it runs.

A worker leases a lane (what waits for one endpoint about one customer), sends its messages one after the other, and
leaves it when one is not taken. Who dies loses the lease, and somebody else sends the same message, under the same
`webhook-id`, again. Time is real time, whatever a workspace's clock says.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import httpx
from standardwebhooks import Webhook

from credits import bounds
from credits.db import Database, is_unavailable
from credits.posting.expiring import tell_expiring
from credits.webhooks.deliveries import forget
from credits.webhooks.endpoints import set_enabled
from credits.webhooks.lanes import (
    Attempt,
    Head,
    Lease,
    claim_lanes,
    endpoint_id,
    leave,
    next_of,
    oldest_waiting,
    settle,
)
from credits.webhooks.retries import delay, retry_after, taken
from credits.webhooks.signing import secret_of
from credits.workspaces import list_workspaces
from server import metrics
from server.clock import real_now
from server.jobs import for_ever
from server.outgoing import Outgoing

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_EXPIRING_EVERY_S = 1.0
_MEASURE_EVERY_S = 5.0
_FORGET_EVERY_S = 300.0
_FORGET_ROUNDS = 50
_REQUESTS_MAX = 256  # at once, of one process; the next look takes what is left
_CONNECTIONS_MAX = 3  # to the database: burns need the others
_GONE = 410
_BECAUSE_GONE = "the receiver answered 410 Gone"
_BECAUSE_HOPELESS = f"nothing but failures for {bounds.WEBHOOK_DISABLED_AFTER.days} days"


class Sender:
    """One per process. `schedule`: the delays between attempts; what has failed after the last is given up."""

    def __init__(
        self,
        database: Database,
        outgoing: Outgoing,
        *,
        pepper: str,
        schedule: Sequence[timedelta] = bounds.WEBHOOK_RETRIES,
        lease: timedelta = bounds.WEBHOOK_LEASE,
        config_changed: Callable[[int, int], None] = lambda _workspace, _version: None,
        refuse_writes: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._outgoing = outgoing
        self._pepper = pepper
        self._schedule = schedule
        self._lease = lease
        self._config_changed = config_changed
        self._refuse_writes = refuse_writes
        self._under_way: Counter[int] = Counter()  # endpoint → requests
        self._tasks: dict[asyncio.Task[None], tuple[int, Lease]] = {}
        self._turn = 0
        self._doors = asyncio.Semaphore(_CONNECTIONS_MAX)

    async def look(self) -> int:
        """Begins to send what is due, in every workspace; returns how many lanes were taken. Never waits for a receiver."""
        begun = 0
        workspaces = await list_workspaces(self._database)
        self._turn = (self._turn + 1) % max(1, len(workspaces))  # none is always the last
        for workspace in [*workspaces[self._turn :], *workspaces[: self._turn]]:
            if self._refuse_writes() or len(self._tasks) >= _REQUESTS_MAX:
                break
            async with self._database.hot(workspace.id) as connection:
                leases = await claim_lanes(connection, workspace.id, self._under_way, self._lease)
            for lease in leases:
                self._under_way[lease.endpoint] += 1
                task = asyncio.create_task(self._send_lane(workspace.id, lease))
                self._tasks[task] = (workspace.id, lease)
                task.add_done_callback(self._tasks.pop)
            begun += len(leases)
        return begun

    async def finish(self) -> None:
        """Waits for what is under way: attempts end by themselves."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Breaks off what is under way. It is sent again, by another process or after the next start."""
        broken_off = dict(self._tasks)
        for task in broken_off:
            task.cancel()
        await asyncio.gather(*broken_off, return_exceptions=True)
        for workspace_id, lease in broken_off.values():
            try:
                async with self._doors, self._database.hot(workspace_id) as connection:
                    await leave(connection, lease)
            except Exception as error:  # noqa: BLE001 -- then the lease ends by itself
                logger.warning("a webhook's lease could not be given back: %s", error)

    async def _send_lane(self, workspace_id: int, lease: Lease) -> None:
        """Message after message, until one is not taken, none is left, or others have waited long enough."""
        try:
            async with self._doors, self._database.hot(workspace_id) as connection:
                head = await next_of(connection, lease, self._lease)
            sent = 0
            while head is not None:
                attempt, gone = await self._attempt(head)
                sent += 1
                async with self._doors, self._database.hot(workspace_id) as connection:
                    settled = await settle(connection, lease, attempt, self._lease)
                    head = None
                    if settled.ours and sent < bounds.WEBHOOK_LANE_TURN and not gone:
                        head = await next_of(connection, lease, self._lease)
                    elif settled.ours:
                        await leave(connection, lease)
                if gone or settled.hopeless:
                    await self._disable(workspace_id, lease, _BECAUSE_GONE if gone else _BECAUSE_HOPELESS)
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("a webhook could not be sent; it is tried again")
            else:
                logger.warning("webhooks wait for the store: %s", error)
        finally:
            self._under_way[lease.endpoint] -= 1
            if not self._under_way[lease.endpoint]:
                del self._under_way[lease.endpoint]

    async def _attempt(self, head: Head) -> tuple[Attempt, bool]:
        """Sends it once. And whether the receiver wants no more, ever."""
        now = real_now()
        pause = timedelta(0)
        code: int | None = None
        try:
            answered = await self._outgoing.post(head.url, head.body.encode(), headers_of(head, self._pepper, now))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is this receiver's, and the log shows it
            problem: str | None = _say(error)
        else:
            code = answered.status
            problem = None if taken(code) else f"{code}: {_line(answered.text)}"
            pause = retry_after(answered.retry_after, now)
        if problem is None:
            metrics.WEBHOOKS_SENT.inc()
            return Attempt(head, taken=True, response_code=code, error=None), False
        metrics.WEBHOOKS_FAILED.inc()
        gone = code == _GONE
        wait = delay(self._schedule, head.step, random.getrandbits(32), not_before=pause)
        return Attempt(head, taken=False, response_code=code, error=problem, retry_in=None if gone else wait), gone

    async def _disable(self, workspace_id: int, lease: Lease, because: str) -> None:
        """Ends it until an operator enables it again, and says so."""
        async with self._database.transaction(workspace_id) as connection:
            await set_enabled(connection, endpoint_id(lease), enabled=False, because=because, actor_id=None)
        self._config_changed(workspace_id, 0)
        logger.warning("webhook endpoint %s was disabled: %s", endpoint_id(lease), because)

    # ─── for ever ────────────────────────────────────────────────────────────────────────────────────────────
    async def run(self) -> None:
        """Looks for what is to be sent, again and again."""
        while True:
            await self._try(self.look)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def tend(self) -> None:
        """What else is to be done again and again, beside it: nothing of it makes a message wait."""
        every = {self._tell_expiring: _EXPIRING_EVERY_S, self.measure: _MEASURE_EVERY_S, self._forget: _FORGET_EVERY_S}
        done_at = dict.fromkeys(every, -_FORGET_EVERY_S)
        while True:
            for job, after_s in every.items():
                if time.monotonic() - done_at[job] >= after_s:
                    done_at[job] = time.monotonic()
                    await self._try(job)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _try(self, job: Callable[[], Awaitable[object]]) -> None:
        try:
            await job()
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("webhooks could not be looked after; the next round tries again")
            else:
                logger.warning("webhooks wait for the store: %s", error)

    async def _tell_expiring(self) -> None:
        for workspace in [] if self._refuse_writes() else await list_workspaces(self._database):
            await tell_expiring(self._database, workspace.id)

    async def measure(self) -> None:
        """How long the oldest message of any workspace has waited, for /metrics."""
        ages = [0]
        for workspace in await list_workspaces(self._database):
            async with self._database.hot(workspace.id) as connection:
                ages.append((await oldest_waiting(connection, workspace.id))[1])
        metrics.WEBHOOKS_OLDEST_WAITING_S.set(max(ages))

    async def _forget(self) -> None:
        for workspace in [] if self._refuse_writes() else await list_workspaces(self._database):
            for _ in range(_FORGET_ROUNDS):
                async with self._database.hot(workspace.id) as connection:
                    if not await forget(connection, workspace.id):
                        break


@asynccontextmanager
async def sending(sender: Sender) -> AsyncIterator[None]:
    """Sends for as long as the context lasts."""
    try:
        async with for_ever(sender.tend(), "webhooks kept"), for_ever(sender.run(), "webhooks sent"):
            yield
    finally:
        await sender.close()


def headers_of(head: Head, pepper: str, now: datetime) -> dict[str, str]:
    """Standard Webhooks: id, timestamp, and one signature for each secret that is valid now."""
    sign = [Webhook(secret_of(salt, pepper)).sign(head.message_id, now, head.body) for salt in head.salts]
    return {
        "content-type": "application/json",
        "webhook-id": head.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(sign),
    }


def _say(error: Exception) -> str:
    """What an operator can do something with."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"no answer within {bounds.WEBHOOK_TIMEOUT.seconds} s"
    return _line(str(error) or type(error).__name__)


def _line(text: str) -> str:
    """One line of it, storable."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[: bounds.WEBHOOK_ERROR_MAX]
