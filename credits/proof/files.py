"""A checkpoint as it is kept outside: JSON lines.

    {"checkpoint": {…, "signature": …}}                            the signed header
    ["acc_<customer>_<credit type>", sequence, head, marks]        one line for each account, in order

`head` is the hash of the entry `sequence`, base64. `marks` are the first two bytes of the hash of each entry from 1 to
`sequence`, one after another, base64, or null: they prove nothing, and find the first entry that is another one now.
A file may hold the checkpoints of several workspaces, one after another.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from credits import ids
from credits.db import Driver
from credits.proof.checkpoints import Checkpoint
from credits.proof.merkle import Tree
from credits.proof.seal import as_text, from_text

MARK_BYTES = 2
_PREFETCH = 200  # marks of a long chain are long

# heads_at -- where each account stood at a checkpoint, in the order of the tree; with the marks of its entries
_HEADS_AT = """
SELECT DISTINCT ON (customer_id, credit_type_id) customer_id, credit_type_id, sequence, head
  FROM checkpoint_heads WHERE number <= $1
 ORDER BY customer_id, credit_type_id, number DESC
"""
_MARKED_AT = f"""
SELECT h.*, (
    SELECT string_agg(substring(e.hash FOR {MARK_BYTES}), ''::bytea ORDER BY e.sequence) FROM entries e
     WHERE e.customer_id = h.customer_id AND e.credit_type_id = h.credit_type_id AND e.sequence <= h.sequence) AS marks
  FROM ({_HEADS_AT}) h ORDER BY h.customer_id, h.credit_type_id
"""  # noqa: S608 -- names of our own


@dataclass(frozen=True, slots=True)
class Known:
    """Where an account's chain stood: what must still be so."""

    customer_id: int
    credit_type_id: int
    sequence: int
    head: bytes
    marks: bytes | None = None


class NotACheckpoint(Exception):
    """The file is none, or not what was signed. The message says where and why."""


async def heads_at(connection: Driver, number: int, *, marked: bool = False) -> AsyncIterator[Known]:
    """Where each account stood at the workspace's checkpoint of that number, as the database has it."""
    query = _MARKED_AT if marked else f"SELECT h.*, NULL::bytea AS marks FROM ({_HEADS_AT}) h ORDER BY 1, 2"  # noqa: S608
    async for row in connection.cursor(query, number, prefetch=_PREFETCH):
        yield Known(*row)


async def write(connection: Driver, checkpoint: Checkpoint, *, marked: bool) -> AsyncIterator[bytes]:
    """The lines of a stored checkpoint. Raises `NotACheckpoint` where what is stored is no longer what was signed."""
    yield orjson.dumps({"checkpoint": checkpoint.to_json()}) + b"\n"
    root = Root()
    async for known in heads_at(connection, checkpoint.number, marked=marked):
        root.add(known)
        account = ids.make("acc", known.customer_id, known.credit_type_id)
        marks = None if known.marks is None else as_text(known.marks)
        yield orjson.dumps([account, known.sequence, as_text(known.head), marks]) + b"\n"
    if not root.is_of(checkpoint):
        raise NotACheckpoint(f"checkpoint {checkpoint.number} of {checkpoint.workspace!r} was changed in the database")


class Root:
    """The root over accounts, to be compared with a signed one."""

    def __init__(self) -> None:
        self._tree: Tree | None = Tree()

    def add(self, known: Known) -> None:
        if self._tree is not None:
            try:
                self._tree.add(known.customer_id, known.credit_type_id, known.sequence, known.head)
            except ValueError:  # no account that was ever signed
                self._tree = None

    def is_of(self, checkpoint: Checkpoint) -> bool:
        """Whether these are the accounts that the checkpoint was signed for."""
        tree = self._tree
        return tree is not None and (tree.leaves, tree.root()) == (checkpoint.accounts, checkpoint.root)


def read(lines: Iterable[bytes]) -> Iterator[tuple[Checkpoint, list[Known]]]:
    """The checkpoints of a file with their accounts, each compared with its signed root. Raises `NotACheckpoint`."""
    checkpoint: Checkpoint | None = None
    accounts: list[Known] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
            if isinstance(value, dict):
                if checkpoint is not None:
                    yield _whole(checkpoint, accounts)
                checkpoint, accounts = Checkpoint.from_json(value.get("checkpoint")), []
            else:
                accounts.append(_known(value))
        except ValueError as error:
            raise NotACheckpoint(f"line {number}: {error}") from None
    if checkpoint is None:
        raise NotACheckpoint("there is no checkpoint in it")
    yield _whole(checkpoint, accounts)


def _known(value: Any) -> Known:
    try:
        account, sequence, head, marks = value
        place = ids.parse("acc", account, 2)
    except (TypeError, AttributeError):
        place = None
    if place is None or not isinstance(sequence, int):
        raise ValueError("is neither a checkpoint nor an account")
    customer_id, credit_type_id = place
    return Known(customer_id, credit_type_id, sequence, from_text(head), None if marks is None else from_text(marks))


def _whole(checkpoint: Checkpoint, accounts: list[Known]) -> tuple[Checkpoint, list[Known]]:
    root = Root()
    for known in accounts:
        root.add(known)
    if not root.is_of(checkpoint):
        raise NotACheckpoint(f"the accounts are not those that checkpoint {checkpoint.number} was signed for")
    return checkpoint, accounts
