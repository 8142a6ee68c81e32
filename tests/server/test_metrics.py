"""`/metrics` tells what the writer did."""

import asyncio
import urllib.request

from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.world import build_world, give


async def figures(server: Server) -> dict[str, float]:
    with await asyncio.to_thread(urllib.request.urlopen, f"{server.url}/metrics") as response:
        lines = [line for line in response.read().decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def test_a_grant_shows_as_a_batch_and_an_entry(server: Server) -> None:
    key = await server.create_key("metrics", "ADMIN")
    async with Client(server.url, key) as client:
        await build_world(client, ["c"])
        before = await figures(server)
        await give(client, "c", "5", "k")
        after = await figures(server)
    assert after["scrip_entries_total"] == before["scrip_entries_total"] + 1
    assert after["scrip_batches_total"] > before["scrip_batches_total"]
