"""Whom a batch is about: the customer of each command, their ids, their locks."""

from collections.abc import Iterable, Mapping, Sequence

from credits import bounds
from credits.customers.customers import valid_text
from credits.db import HotConnection
from credits.posting import statements
from credits.posting.columns import column
from credits.posting.commands import Advance, Command, ExtendHold, Release, Settle, TakeEvent
from credits.posting.corrections import Correction

Whose = str | int  # a customer by key or by id, as the command names it


def whose(command: Command) -> Whose:
    """The customer that the command is about."""
    if isinstance(command, TakeEvent):
        return command.subject
    if isinstance(command, (Settle, Release, ExtendHold)):
        return command.hold.customer_id
    if isinstance(command, (Advance, Correction)):
        return command.customer_id
    return command.customer


class CustomerIds:
    """The ids of customers by key, as they were found. A key and its id never part, so nothing here grows stale.

    With the ids known, nothing is asked before the lock, and the lock is one look into one index.
    """

    def __init__(self) -> None:
        self._known: dict[int, dict[str, int]] = {}
        self._count = 0

    async def of(self, connection: HotConnection, workspace_id: int, named: Iterable[Whose]) -> list[int]:
        """The ids of those that exist, each once, in order."""
        known = self._known.setdefault(workspace_id, {})
        ids: set[int] = set()
        unknown: set[str] = set()
        for name in named:
            if isinstance(name, int):
                ids.add(name)
            elif (found := known.get(name)) is not None:
                ids.add(found)
            else:
                unknown.add(name)
        # A key that no customer can have (a NUL, a lone surrogate) is no text to PostgreSQL: it would fail the batch.
        keys = [key for key in unknown if valid_text(key, bounds.CUSTOMER_KEY_MAX)]
        if keys:
            rows = await connection.fetch(statements.FIND_CUSTOMERS, keys)
            self._remember(known, {row["key"]: row["id"] for row in rows})
            ids.update(row["id"] for row in rows)
        return sorted(ids)

    def known(self, workspace_id: int) -> Mapping[str, int]:
        """What is remembered of a workspace: after `of`, at least whom it found."""
        return self._known.get(workspace_id, {})

    def _remember(self, known: dict[str, int], found: dict[str, int]) -> None:
        if self._count + len(found) > bounds.KNOWN_CUSTOMERS_MAX:
            for others in self._known.values():
                others.clear()
            self._count = 0
        known.update(found)
        self._count += len(found)


async def lock(connection: HotConnection, ids: Sequence[int]) -> None:
    """Locks the customers, in id order, with the next statement that answers."""
    await connection.send(statements.LOCK_CUSTOMERS, column("bigint", ids))


async def find_locked(
    connection: HotConnection, workspace_id: int, ids: CustomerIds, named: Iterable[Whose]
) -> set[Whose]:
    """Those of them that somebody else keeps locked."""
    names = list(named)
    asked = await ids.of(connection, workspace_id, names)
    free = {row["id"] for row in await connection.fetch(statements.FIND_FREE_CUSTOMERS, asked)}
    kept = set(asked) - free
    known = ids.known(workspace_id)
    return {name for name in names if (name if isinstance(name, int) else known.get(name)) in kept}
