"""The batch writer: the one way into the ledger.

One writer per process, a few lanes per workspace. A lane commits whatever is waiting as one database transaction: lock
the customers in id order, read, decide in memory, write, commit, answer every caller, tell who listens. A single
caller waits for nobody: the batch is what gathered while the ones before were committing.

A batch keeps either this process busy or PostgreSQL, so a few are under way at once: while one is decided the other is
written. Commands have one lane with two batches, the second of customers that the first has not. Events have lanes of
their own, so that a backfill cannot make a burn wait for more than the batch that holds its customer's lock; each with
a share of the customers, because few customers make most of the usage, and would be in every batch. What one customer
is asked for stays in order; a lock decides what no order is promised for.

Invariant: a caller is answered only after the commit that holds its entry, and a command that fails fails alone.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import asyncpg

from credits import bounds
from credits.audit.log import record_hot
from credits.db import Database, is_locked, is_unavailable
from credits.errors import Busy, Unavailable
from credits.ledger.account import Account
from credits.posting.acts import acts_of
from credits.posting.book import Book
from credits.posting.closing import close_book, events_collide
from credits.posting.commands import Command, TakeEvent
from credits.posting.configuration import Configuration
from credits.posting.decide import apply
from credits.posting.lanes import Asked, Lane, Lanes, Waiting
from credits.posting.locking import CustomerIds, Whose, find_locked, whose
from credits.posting.outcomes import Answer, Replay
from credits.posting.replays import read_firsts
from credits.posting.store import open_book
from credits.posting.telling import messages_of
from credits.webhooks.outbox import tell_hot

logger = logging.getLogger(__name__)

_RETRIES = 3
_RETRYABLE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

Publish = Callable[[int, int, int, int], None]


class Writer:
    """Takes commands, answers them after the commit.

    `publish(workspace_id, customer_id, credit_type_id, version)` is called after each commit, once per changed
    account; it must not block. `committed(commands, entries)` likewise, once per batch. `refuse_writes()` is asked
    before commands are taken: true below the floor of free disk space.
    """

    def __init__(
        self,
        database: Database,
        configuration: Configuration,
        *,
        publish: Publish,
        refuse_writes: Callable[[], bool] = lambda: False,
        committed: Callable[[int, int], None] = lambda _commands, _entries: None,
    ) -> None:
        self._database = database
        self._publish = publish
        self._refuse_writes = refuse_writes
        self._committed = committed
        self._configuration = configuration
        self._customer_ids = CustomerIds()
        self._lanes: dict[int, Lanes] = {}
        self._closed = False

    async def post(self, workspace_id: int, command: Command) -> Answer:
        """Puts one command through. Raises `Busy`, `Unavailable` (it is not known whether anything happened)."""
        return (await self.post_many(workspace_id, (command,)))[0]

    async def post_many(self, workspace_id: int, commands: Sequence[Command]) -> list[Answer]:
        """Puts commands through in order, each by itself."""
        lanes = self._open_lanes(workspace_id)
        asked = Asked(len(commands))
        for place, command in enumerate(commands):
            name = whose(command)
            lanes.of(command, name).waiting.append(Waiting(command, name, asked, place))
        for lane in lanes.all:
            self._wake(lane)
        return await asked.all()

    def _open_lanes(self, workspace_id: int) -> Lanes:
        """The lanes of the workspace, where they take more."""
        if self._closed:
            raise Unavailable("the server is shutting down")
        if self._refuse_writes():
            raise Unavailable("writes are refused: too little free disk space")
        lanes = self._lanes.get(workspace_id)
        if lanes is None:
            lanes = self._lanes[workspace_id] = Lanes(workspace_id)
        if sum(len(lane.waiting) for lane in lanes.all) > bounds.QUEUE_COMMANDS_MAX:
            raise Busy("too many requests are waiting")
        return lanes

    def _wake(self, lane: Lane) -> None:
        if lane.has_room:
            lane.gathering = True
            lane.running.add(asyncio.create_task(self._run(lane)))

    async def _run(self, lane: Lane) -> None:
        """One batch after another, until nothing waits that could go, or somebody else sees to it."""
        try:
            while batch := await lane.gather():
                self._wake(lane)
                try:
                    await self._commit(lane, batch)
                finally:
                    lane.leave(batch)
                if lane.gathering:
                    return
        finally:
            lane.running.discard(asyncio.current_task())

    async def close(self) -> None:
        """Takes no more, finishes what waits."""
        self._closed = True
        for lane in [lane for lanes in self._lanes.values() for lane in lanes.all]:
            while tasks := lane.running | lane.aside:
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _commit(self, lane: Lane, batch: list[Waiting], patience: timedelta = bounds.LOCK_PATIENCE) -> None:
        """One batch through; whatever happens, every caller is answered."""
        try:
            book, answers = await self._attempt(lane.workspace_id, [item.command for item in batch], patience)
        except Unavailable as error:
            if is_locked(error) and patience == bounds.LOCK_PATIENCE:
                await self._part(lane, batch, error)
                return
            for item in batch:
                item.fail(error)
        except Exception as error:
            if len(batch) == 1:
                await self._refuse_poison(lane, batch[0], error)
                return
            # One of them is at fault, and nothing was committed: each by itself, so that the others succeed.
            logger.exception("a batch of %d failed; trying each by itself", len(batch))
            for item in batch:
                await self._commit(lane, [item])
        else:
            await self._answer(book, batch, answers)

    async def _part(self, lane: Lane, batch: list[Waiting], error: Unavailable) -> None:
        """Somebody keeps a customer of the batch locked: who asks for it waits by itself, the others go on."""
        named = {item.whose for item in batch}
        try:
            async with self._database.hot(lane.workspace_id) as connection:
                locked = await find_locked(connection, lane.workspace_id, self._customer_ids, named)
        except Exception:
            logger.exception("who keeps a batch waiting cannot be found out")
            locked = named
        alone = [item for item in batch if item.whose in locked]
        if alone and len(lane.aside) < bounds.LOCKS_AWAITED_MAX:
            lane.set_aside(locked)
            lane.aside.add(asyncio.create_task(self._await_lock(lane, locked, alone)))
        else:
            for item in alone:
                item.fail(error)
        if rest := [item for item in batch if item.whose not in locked]:
            await self._commit(lane, rest, bounds.LOCK_PATIENCE_ALONE)

    async def _await_lock(self, lane: Lane, names: set[Whose], waiting: list[Waiting]) -> None:
        """Goes on when the lock is free; when patience ends, also whoever came meanwhile is told so."""
        try:
            await self._commit(lane, waiting, bounds.LOCK_PATIENCE_ALONE)
            error = waiting[0].asked.failure(waiting[0].place)
            if isinstance(error, Unavailable):
                for item in lane.drop(names):
                    item.fail(error)
        finally:
            lane.readmit(names)
            lane.aside.discard(asyncio.current_task())
            self._wake(lane)

    async def _answer(self, book: Book, batch: list[Waiting], answers: list[Answer | Replay]) -> None:
        """Everybody's answer. The batch is committed: what goes wrong from here on must not send it through again."""
        replays: list[tuple[Waiting, Replay]] = []
        for item, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Replay):
                replays.append((item, answer))
            else:
                item.succeed(answer)
        if not replays:
            return
        try:
            firsts = await read_firsts(self._database, book, [replay for _, replay in replays])
        except Exception as error:
            logger.exception("the first answers to %d used keys cannot be read", len(replays))
            for item, _ in replays:
                item.fail(Unavailable(str(error)) if is_unavailable(error) else error)
            return
        for item, replay in replays:
            try:
                item.succeed(firsts.answer(item.command, replay))
            except Exception as error:
                logger.exception("the first answer to a used key cannot be given")
                item.fail(error)

    async def _refuse_poison(self, lane: Lane, item: Waiting, error: Exception) -> None:
        """A command that cannot be decided: an event is kept as a dead letter, the rest is the caller's to know."""
        logger.error("a command failed by itself", exc_info=error)
        if isinstance(item.command, TakeEvent) and item.command.problem is None:
            poison = _poisoned(item.command)
            await self._commit(lane, [replace(item, command=poison)])
            return
        item.fail(error)

    async def _attempt(
        self, workspace_id: int, commands: list[Command], patience: timedelta
    ) -> tuple[Book, list[Answer | Replay]]:
        for attempt in range(_RETRIES + 1):
            try:
                return await self._transact(workspace_id, commands, patience)
            except Exception as error:
                if not isinstance(error, _RETRYABLE) and not events_collide(error):
                    if is_unavailable(error):
                        raise Unavailable(str(error) or type(error).__name__) from error
                    raise
                if attempt == _RETRIES:
                    raise Unavailable("the store was too busy") from error
                await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 -- jitter, no secret
        raise AssertionError("unreachable")

    async def _transact(
        self, workspace_id: int, commands: list[Command], patience: timedelta
    ) -> tuple[Book, list[Answer | Replay]]:
        async with self._database.hot(workspace_id, patience) as connection:
            book = await open_book(connection, self._configuration, workspace_id, commands, self._customer_ids)
            answers = [apply(book, command) for command in commands]
            changed = await close_book(connection, book)
            await record_hot(connection, acts_of(book, commands, answers))
            if book.wanted:
                await tell_hot(connection, messages_of(book, changed))
        self._tell(changed)
        self._committed(len(commands), sum(len(account.entries) for account in changed))
        return book, answers

    def _tell(self, changed: list[Account]) -> None:
        for account in changed:
            if account.entries:
                self._publish(account.workspace_id, account.customer_id, account.credit_type_id, account.sequence)


def _poisoned(event: TakeEvent) -> TakeEvent:
    """The same event with a problem: it is stored without being looked at again."""
    return replace(event, problem="could not be processed; the error is in the server's log")
