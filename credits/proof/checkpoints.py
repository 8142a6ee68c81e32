"""Signed checkpoints: where every chain of a workspace stood at one instant.

A chain alone proves that nothing within it was changed, but not that it is the chain that was: whoever owns the
database can restore an older backup, or rebuild a chain with every hash computed anew. A checkpoint kept outside can
not be taken back: the entry at its sequence must still be there, with the hash it had then.

    header   JSON: version, workspace, number, at, accounts, entries, root, previous, publicKey
    hash     SHA-256 of the header's canonical JSON; `previous` is that of the checkpoint before
    root     Merkle root over (customer, credit type, sequence, head) of all accounts: `merkle.py`
    seal     Ed25519 signature of the header: `seal.py`
"""

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from credits.canonical import canonical_json
from credits.db import Database, Driver
from credits.ledger.entries import GENESIS
from credits.proof.merkle import Tree
from credits.proof.seal import Seal, as_text, from_text, is_sealed

VERSION = 1
_LONG_S = 3_600.0  # these statements read every account
_PREFETCH = 1_000  # accounts between two looks at what else the process has to do

# last_checkpoint -- and whether the book has changed since; `at` is real time, whatever the workspace's clock says
_LAST = """
SELECT c.*, clock_timestamp() AS now, b.entries AS book_entries, b.accounts AS book_accounts, w.name
  FROM workspaces w
 CROSS JOIN LATERAL (SELECT coalesce(sum(sequence), 0)::bigint AS entries, count(*) AS accounts FROM accounts) b
  LEFT JOIN checkpoints c ON c.workspace_id = w.id
 WHERE w.id = scrip_workspace()
 ORDER BY c.number DESC LIMIT 1
"""

# all_heads -- the leaves of the tree, in order
_ALL_HEADS = "SELECT customer_id, credit_type_id, sequence, head FROM accounts ORDER BY customer_id, credit_type_id"

# insert_checkpoint, insert_heads -- in one database transaction and one view: the heads are those that the root is of.
# Of accounts that have not changed since the checkpoint before, nothing is written.
_INSERT_CHECKPOINT = """
INSERT INTO checkpoints (workspace_id, number, at, accounts, entries, root, previous, public_key, signature)
VALUES (scrip_workspace(), $1, $2, $3, $4, $5, $6, $7, $8)
"""
_INSERT_HEADS = """
INSERT INTO checkpoint_heads (workspace_id, customer_id, credit_type_id, number, sequence, head)
SELECT a.workspace_id, a.customer_id, a.credit_type_id, $1, a.sequence, a.head
  FROM accounts a
  LEFT JOIN LATERAL (
    SELECT h.sequence, h.head FROM checkpoint_heads h
     WHERE h.customer_id = a.customer_id AND h.credit_type_id = a.credit_type_id
     ORDER BY h.number DESC LIMIT 1) known ON true
 WHERE (known.sequence, known.head) IS DISTINCT FROM (a.sequence, a.head)
"""

# stored_checkpoints -- all of a workspace, in order
_STORED = """
SELECT c.*, w.name FROM checkpoints c JOIN workspaces w ON w.id = c.workspace_id ORDER BY c.number
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a workspace's book stood. `entries` is the sum of all sequences."""

    workspace: str
    number: int
    at: datetime
    accounts: int
    entries: int
    root: bytes
    previous: bytes
    public_key: bytes
    signature: bytes = b""

    def header(self) -> dict[str, Any]:
        """What is signed, as JSON."""
        return {
            "version": VERSION,
            "workspace": self.workspace,
            "number": self.number,
            "at": self.at.astimezone(UTC),
            "accounts": self.accounts,
            "entries": self.entries,
            "root": as_text(self.root),
            "previous": as_text(self.previous),
            "publicKey": as_text(self.public_key),
        }

    def message(self) -> bytes:
        return canonical_json(self.header()).encode()

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.message()).digest()

    def sealed_by(self, public_keys: Collection[bytes]) -> bool:
        """Whether one of these keys signed it."""
        return self.public_key in public_keys and is_sealed(self.message(), self.signature, self.public_key)

    def to_json(self) -> dict[str, Any]:
        return {**self.header(), "signature": as_text(self.signature)}

    @classmethod
    def from_json(cls, value: Any) -> "Checkpoint":
        """Raises `ValueError` for what is none of ours."""
        try:
            if value["version"] != VERSION:
                raise ValueError(f"is a checkpoint of version {value['version']}, which this one does not know")
            keyed = {name: from_text(value[name]) for name in ("root", "previous", "publicKey", "signature")}
            return cls(
                workspace=str(value["workspace"]),
                number=int(value["number"]),
                at=datetime.fromisoformat(value["at"]),
                accounts=int(value["accounts"]),
                entries=int(value["entries"]),
                root=keyed["root"],
                previous=keyed["previous"],
                public_key=keyed["publicKey"],
                signature=keyed["signature"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"is no checkpoint: {error!r}") from None


async def make_checkpoint(
    database: Database, workspace_id: int, seal: Seal, *, every: timedelta = timedelta(0)
) -> Checkpoint | None:
    """Writes a checkpoint of the workspace as it is now.

    None where nothing has changed since the last one, where that is younger than `every`, or where another process
    makes it at this moment.
    """
    try:
        async with database.steady(workspace_id) as connection:
            last = await connection.fetchrow(_LAST, timeout=_LONG_S)
            if last is None or not _is_due(last, every):
                return None
            tree = await _tree(connection)
            made = Checkpoint(
                workspace=last["name"],
                number=(last["number"] or 0) + 1,
                at=last["now"],
                accounts=tree.leaves,
                entries=last["book_entries"],
                root=tree.root(),
                previous=GENESIS if last["number"] is None else _checkpoint(last).hash,
                public_key=seal.public_key,
            )
            signature = seal.sign(made.message())
            values = (made.at, made.accounts, made.entries, made.root, made.previous, made.public_key, signature)
            await connection.execute(_INSERT_CHECKPOINT, made.number, *values)
            await connection.execute(_INSERT_HEADS, made.number, timeout=_LONG_S)
    except (asyncpg.UniqueViolationError, asyncpg.SerializationError):
        return None  # another process was sooner: its checkpoint says the same
    return replace(made, signature=signature)


async def read_checkpoints(connection: Driver) -> list[Checkpoint]:
    """The checkpoints of the workspace at hand, in order."""
    return [_checkpoint(row) for row in await connection.fetch(_STORED)]


def unsound(checkpoints: Sequence[Checkpoint], public_keys: Collection[bytes]) -> str | None:
    """Why these checkpoints, in their order, are not what those keys have signed one after another; None where they are."""
    before: Checkpoint | None = None
    for each in checkpoints:
        if not each.sealed_by(public_keys):
            return f"checkpoint {each.number} is not signed by a public key that is known: {as_text(each.public_key)}"
        if before is not None and each.number == before.number + 1 and each.previous != before.hash:
            return f"checkpoint {each.number} does not follow checkpoint {before.number}"
        before = each
    return None


def _is_due(last: asyncpg.Record, every: timedelta) -> bool:
    if last["number"] is None:
        return bool(last["book_accounts"])
    changed = (last["entries"], last["accounts"]) != (last["book_entries"], last["book_accounts"])
    return changed and last["now"] - last["at"] >= every


async def _tree(connection: Driver) -> Tree:
    tree = Tree()
    async for row in connection.cursor(_ALL_HEADS, prefetch=_PREFETCH):
        tree.add(*row)
        if tree.leaves % _PREFETCH == 0:
            await asyncio.sleep(0)
    return tree


def _checkpoint(row: asyncpg.Record) -> Checkpoint:
    return Checkpoint(
        workspace=row["name"],
        number=row["number"],
        at=row["at"],
        accounts=row["accounts"],
        entries=row["entries"],
        root=row["root"],
        previous=row["previous"],
        public_key=row["public_key"],
        signature=row["signature"],
    )
