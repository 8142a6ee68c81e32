"""`scrip audit` and `scrip reconcile` as an auditor runs them."""

from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from credits.db import Database
from credits.workspaces import ensure_workspace
from tests.credits.posting.till import Till, open_till
from tests.harness.server import Completed, Server

BURNS = 3
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Auditor:
    """A database with two books, and the commands on it."""

    def __init__(self, url: str, folder: Path, tills: list[Till]) -> None:
        self.url, self.folder, self.tills = url, folder, tills
        self._commands = Server(folder / "data", database_url=url)

    async def run(self, *arguments: str) -> Completed:
        return await self._commands.command(*arguments)

    async def verify(self, *arguments: str) -> tuple[int, list[str]]:
        """Its exit status, and what it says but for the line of each workspace."""
        done = await self.run("audit", "verify", *arguments)
        return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("  ")]

    async def as_intruder(self, sql: str) -> None:
        owner = await asyncpg.connect(self.url)
        await owner.execute(f"SET session_replication_role = replica; {sql}")
        await owner.close()

    async def checkpoint(self, name: str, *arguments: str) -> Path:
        path = self.folder / name
        done = await self.run("audit", "checkpoint", "--out", str(path), *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return path


@pytest.fixture
async def auditor(database_url: str, tmp_path: Path):
    database = await Database.connect(database_url)
    tills = []
    try:
        for name in ("Acme", "Trial"):
            workspace = await ensure_workspace(database, name, test_mode=True, now=NOW)
            async with open_till(database, database_url, workspace) as till:
                await till.must(till.grant("100"))
                for _ in range(BURNS):
                    await till.must(till.burn("1"))
                tills.append(till)
        yield Auditor(database_url, tmp_path, tills)
    finally:
        await database.close()


async def test_a_sound_book_is_told_with_its_size(auditor: Auditor):
    done = await auditor.run("audit", "verify")
    assert done.returncode == 0
    assert done.stdout == "Acme: 1 accounts, 4 entries, 0 broken\nTrial: 1 accounts, 4 entries, 0 broken\n"


async def test_the_first_bad_entry_is_named_with_customer_credit_type_sequence_and_id(auditor: Auditor):
    acme, _ = auditor.tills
    await auditor.as_intruder(
        f"UPDATE entries SET note = 'x' WHERE workspace_id = {acme.workspace_id} AND sequence > 1"
    )
    status, (line,) = await auditor.verify()
    assert status == 1
    assert line.startswith("  customer acme, credit type ai, sequence 2, entry ent_")
    assert (await auditor.verify("--workspace", "Trial")) == (0, [])
    unknown = await auditor.run("audit", "verify", "--workspace", "nobody")
    assert (unknown.returncode, unknown.stderr) == (1, "scrip: no workspace 'nobody'\n")


async def test_a_checkpoint_kept_outside_proves_a_tail_that_was_cut(auditor: Auditor):
    acme, _ = auditor.tills
    kept = await auditor.checkpoint("kept.jsonl")
    assert await auditor.verify("--checkpoint", str(kept)) == (0, [])
    await auditor.as_intruder(
        f"""DELETE FROM entries WHERE workspace_id = {acme.workspace_id} AND sequence > 2;
        UPDATE accounts a SET sequence = 2, head = e.hash, balance = e.balance_after, granted = a.granted + e.balance_after - a.balance
          FROM entries e WHERE e.workspace_id = {acme.workspace_id} AND e.sequence = 2
           AND (a.customer_id, a.credit_type_id) = (e.customer_id, e.credit_type_id);
        DELETE FROM checkpoint_heads; DELETE FROM checkpoints"""
    )
    assert await auditor.verify() == (0, []), "in itself it is sound"
    status, lines = await auditor.verify("--checkpoint", str(kept))
    assert status == 1
    assert any(line.startswith("  customer acme, credit type ai, sequence 3, ") for line in lines)
    assert any("the database does not know checkpoint 1 of " in line for line in lines)
    status, lines = await auditor.verify("--checkpoint", str(kept), "--workspace", "Trial")
    assert not any("customer" in line for line in lines)


async def test_checkpoints_in_the_database_are_compared_without_being_asked(auditor: Auditor):
    acme, _ = auditor.tills
    await auditor.checkpoint("kept.jsonl")
    await auditor.as_intruder(f"UPDATE checkpoint_heads SET sequence = 9 WHERE workspace_id = {acme.workspace_id}")
    status, lines = await auditor.verify()
    assert status == 1
    assert any("sequence 5, " in line and "is missing: there was one at checkpoint 1" in line for line in lines)


async def test_the_public_key_is_what_checkpoints_are_signed_with(auditor: Auditor):
    kept = await auditor.checkpoint("kept.jsonl", "--heads-only", "--workspace", "Acme")
    key = (await auditor.run("audit", "public-key")).stdout.strip()
    assert f'"publicKey":"{key}"' in kept.read_text()
    assert kept.read_text().count("checkpoint") == 1
    other = Server(
        auditor.folder / "data", database_url=auditor.url, secret_key="another secret key, and long enough too"
    )
    refused = await other.command("audit", "verify", "--checkpoint", str(kept))
    assert refused.returncode == 1
    assert refused.stderr == f"scrip: checkpoint 1 is not signed by a key that is known, but by {key}\n"
    told = await other.command("audit", "verify", "--checkpoint", str(kept), "--public-key", key)
    assert told.returncode == 0, "who keeps the public key needs no secret"


async def test_a_checkpoint_goes_to_standard_output_too_and_a_file_that_is_none_is_told(auditor: Auditor):
    done = await auditor.run("audit", "checkpoint")
    assert done.stdout.count('{"checkpoint":') == 2
    path = auditor.folder / "none.jsonl"
    path.write_text("nonsense\n")
    refused = await auditor.run("audit", "verify", "--checkpoint", str(path))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"scrip: {path}: line 1: ")


async def test_reconcile_tells_what_does_not_agree(auditor: Auditor):
    acme, _ = auditor.tills
    sound = await auditor.run("reconcile")
    said = "1 accounts, 4 entries, 0 mismatches, drift 0, 0 chains broken, 0 events unaccounted"
    assert (sound.returncode, sound.stdout) == (0, f"Acme: {said}\nTrial: {said}\n")
    await auditor.as_intruder(
        f"UPDATE accounts SET balance = balance + 5000000, granted = granted + 5000000 WHERE workspace_id = {acme.workspace_id}"
    )
    found = await auditor.run("reconcile", "--workspace", "Acme")
    assert found.returncode == 1
    assert "  customer acme, credit type ai, balance: expected 97, is 102\n" in found.stdout
    assert "drift 5," in found.stdout
    assert (await auditor.run("reconcile", "--workspace", "Trial")).returncode == 0
