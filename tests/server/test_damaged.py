"""K11: a data folder that lost a part of itself is not served, and the first bad entry is named."""

import shutil
from pathlib import Path

import asyncpg
import pytest

from credits.db import Database
from credits.proof.tails import torn
from server.embedded import EmbeddedPostgres
from tests.credits.conftest import database, owner_url, workspace
from tests.credits.ledger.test_verify import written
from tests.credits.posting.conftest import till
from tests.credits.posting.till import Till
from tests.harness.client import Client
from tests.harness.server import NotReady, Server
from tests.harness.world import build_world, give

__all__ = ["database", "owner_url", "till", "workspace"]


async def burn(server: Server, secret: str, numbers: range) -> None:
    async with Client(server.url, secret) as client:
        for number in numbers:
            fields = {"customer": "c", "creditType": "ai", "amount": "1", "idempotencyKey": f"k{number}"}
            await client.must("burn", **fields)


def file_of(data_dir: Path, path: str) -> Path:
    return data_dir / "pg" / path


async def test_a_file_of_the_database_from_yesterday_is_found_at_the_start(own_server: Server):
    secret = await own_server.create_key("damaged", "ADMIN")
    async with Client(own_server.url, secret) as client:
        await build_world(client, ["c"])
        await give(client, "c", "100", "grant")
    await burn(own_server, secret, range(3))
    assert await own_server.terminate() == 0
    with EmbeddedPostgres(own_server.data_dir) as url:
        owner = await asyncpg.connect(url)
        path = file_of(own_server.data_dir, await owner.fetchval("SELECT pg_relation_filepath('entries')"))
        await owner.close()
    shutil.copy2(path, aside := own_server.data_dir.with_name("entries.yesterday"))
    await own_server.start()
    await burn(own_server, secret, range(3, 6))
    assert await own_server.terminate() == 0
    with path.open("r+b") as file:  # in place: it stays whose it is
        file.write(aside.read_bytes())
    with pytest.raises(NotReady, match=r"damaged: customer c, credit type ai, sequence 5, entry ent_\w+: is missing"):
        await own_server.start()
    verified = await own_server.command("audit", "verify")
    assert verified.returncode == 1
    assert "customer c, credit type ai, sequence 5, " in verified.stdout


async def test_a_sound_book_has_no_torn_account_and_each_way_to_be_torn_is_seen(
    till: Till, owner_url: str, database: Database
):
    await till.must(till.grant("100"))
    for _ in range(3):
        await till.must(till.burn("1"))
    await till.must(till.grant("1", customer="other"))
    assert await torn(database, till.workspace_id, 5) == []
    owner = await asyncpg.connect(owner_url)
    await owner.execute("SET session_replication_role = replica")
    acme = (await till.customer()).id
    for damage, sequence in (
        ("DELETE FROM entries WHERE customer_id = $1 AND sequence = 4", 4),
        ("DELETE FROM entries WHERE customer_id = $1 AND sequence >= 3", 3),
        ("UPDATE accounts SET sequence = 3 WHERE customer_id = $1", 4),
        ("UPDATE accounts SET head = sha256(head) WHERE customer_id = $1", 4),
        ("UPDATE accounts SET balance = balance + 1, granted = granted + 1 WHERE customer_id = $1", 4),
        ("UPDATE accounts SET sequence = 0, head = '' WHERE customer_id = $1", 4),
    ):
        before = await owner.fetch("SELECT * FROM accounts WHERE customer_id = $1", acme)
        rows = await owner.fetch("SELECT * FROM entries WHERE customer_id = $1", acme)
        await owner.execute(damage, acme)
        found = await torn(database, till.workspace_id, 5)
        assert [(each.customer, each.sequence) for each in found] == [("acme", sequence)], damage
        for table, kept in (("accounts", before), ("entries", rows)):
            await owner.execute(f"DELETE FROM {table} WHERE customer_id = $1", acme)
            columns = await written(owner, table)
            records = [tuple(row[name] for name in columns) for row in kept]
            await owner.copy_records_to_table(table, columns=columns, records=records)
    await owner.close()
    assert await torn(database, till.workspace_id, 5) == []
