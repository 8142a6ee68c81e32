"""A disk that fills up under the embedded database: writes are refused in time, reads go on, and with room it is as before.

D8. The real thing: a server whose data folder is a small file system of its own, filled by a file beside it.
"""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from credits.bounds import DISK_FREE_MIN_BYTES
from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.world import build_world, give

SIZE = DISK_FREE_MIN_BYTES + 400 * 1024 * 1024  # the database takes a quarter of what is above the floor
WITHIN_S = 20.0  # the server looks once a second; a busy machine may be slow


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A folder with so much room. Memory that poses as a disk: filling it harms nobody else."""
    with tempfile.TemporaryDirectory(prefix="scrip-disk-") as folder, ExitStack() as stack:
        options = ("-o", f"size={SIZE},mode=755")
        mounted = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip(
                "only root may mount a small file system; the floor itself is tested in tests/server/test_disk.py"
            )
        stack.callback(subprocess.run, ["umount", "--lazy", folder], check=True)
        yield Path(folder)


@pytest.fixture
async def server_on_it(small_disk: Path) -> AsyncIterator[Server]:
    own = Server(small_disk / "data")
    await own.start()
    yield own
    await own.close()


async def until(wanted: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await wanted():
            await asyncio.sleep(0.1)


def fill(disk: Path, leave: int) -> Path:
    """A file that leaves so many bytes free."""
    path = disk / "ballast"
    size = free(disk) - leave + (path.stat().st_size if path.exists() else 0)
    with path.open("wb") as file:
        while size > 0:
            size -= file.write(b"x" * min(size, 1024 * 1024))
    return path


def free(disk: Path) -> int:

    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


async def status(client: Client, path: str) -> int:
    headers = {"Authorization": f"Bearer {client.secret}"}
    return (await client.wire.request("GET", path, headers, b"")).status


async def test_below_the_floor_writes_are_refused_nothing_is_lost_and_it_is_back_by_itself(
    server_on_it: Server, small_disk: Path
):
    secret = await server_on_it.create_key("disk", "ADMIN")
    client = Client(server_on_it.url, secret)
    await build_world(client, ["c"])
    await give(client, "c", "1000", "grant")
    burnt: list[str] = []

    async def burn(key: str) -> str | None:
        """None where it happened, else why not."""
        fields = {"customer": "c", "creditType": "ai", "amount": "1", "idempotencyKey": key}
        reply = await client.put("burn", **fields)
        if reply.ok:
            burnt.append(key)
            return None
        return reply.code

    async def is_refused() -> bool:
        return await burn(f"k{len(burnt)}") == "UNAVAILABLE"

    async def is_taken() -> bool:
        return await burn(f"k{len(burnt)}") is None

    assert await burn("first") is None
    for leave in (DISK_FREE_MIN_BYTES - 8 * 1024 * 1024, 0):
        ballast = fill(small_disk, leave)
        await until(is_refused)
        event = b'{"id": "e", "source": "s", "type": "llm.tokens", "subject": "c", "data": {"input_tokens": 5}}'
        assert (await client.post("/v1/events", event)).status == 503
        assert (await client.act("upsertCustomer", input={"key": "late"})).code == "UNAVAILABLE"
        assert await status(client, "/readyz") == 503
        assert await status(client, "/healthz") == 200, "the process lives: nobody is to restart it"
        seen = await client.ask('{ customer(key: "c") { balance(creditType: "ai") { available } } }')
        assert float(seen["customer"]["balance"]["available"]) == 1000 - len(burnt)
        ballast.unlink()
        await until(is_taken)
        assert await status(client, "/readyz") == 200
    seen = await client.ask('{ customer(key: "c") { ledger(first: 500) { edges { node { idempotencyKey } } } } }')
    keys = [edge["node"]["idempotencyKey"] for edge in seen["customer"]["ledger"]["edges"]]
    assert sorted(keys) == sorted(["grant", *burnt]), "what was answered is there, once, and nothing else"
    client.wire.drop()
    verified = await server_on_it.command("audit", "verify")
    assert (verified.returncode, "0 broken" in verified.stdout) == (0, True)
    assert "too full: writes are refused" in server_on_it.logs
    assert "has room again: writes are taken" in server_on_it.logs
