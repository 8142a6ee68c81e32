"""No request waits for a connection while it holds another: so many visitors at once as there are connections would each
hold one and wait for ever. On a server that has a single one, whoever asks for a second is found out at once.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.harness.client import Client, QueryFailed
from tests.harness.databases import fresh_database
from tests.harness.server import Server
from tests.harness.world import PACK, build_world, give

EMBED = Path(__file__).parents[2] / "frontend_embed"
# The server itself, with a pool of one for ordinary database transactions.
WITH_ONE = """
import credits.db as db
make = db.create_async_engine
db.create_async_engine = lambda *given, **options: make(*given, **{**options, "pool_size": 1})
from server.cli import main
main()
"""
SCOPES = ["balance:read", "usage:read", "ledger:read", "topup:create", "recharge:manage", "dispute:create"]


@pytest.fixture(scope="module")
async def narrow(template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with fresh_database(template) as url:
        program = (sys.executable, "-c", WITH_ONE, "serve")
        server = Server(tmp_path_factory.mktemp("narrow") / "data", database_url=url, program=program)
        await server.start()
        yield server
        await server.close()


@pytest.fixture(scope="module")
async def visitor(narrow: Server) -> AsyncIterator[Client]:
    """A customer's token, whose customer has something of everything."""
    async with Client(narrow.url, await narrow.create_key("narrow", "ADMIN")) as backend:
        await build_world(backend, ["acme"])
        await backend.must("applyCatalog", document={"bundles": [PACK]})
        ends = (datetime.now(UTC) + timedelta(days=9)).isoformat()
        await give(backend, "acme", "100", "acme-ending", source="PLAN", expiresAt=ends)
        await backend.must(
            "burn", customer="acme", feature="input-tokens", quantity="5000", idempotencyKey="acme-1", member="ada"
        )
        token = (await backend.must("createEmbedToken", customer="acme", scopes=SCOPES))["token"]
    async with Client(narrow.url, token) as visitor:
        yield visitor


def operations() -> dict[str, tuple[str, str]]:
    """What the elements send, by the name of the operation: its kind and its text."""
    found = {}
    for path in sorted(EMBED.glob("documents*.graphql")):
        for text in re.findall(
            r"^(?:query|mutation|subscription)\b.*?^}", path.read_text(encoding="utf-8"), re.M | re.S
        ):
            kind, name = re.match(r"(\w+) (\w+)", text).groups()  # type: ignore[union-attr]
            found[name] = (kind, text)
    return found


async def variables_of(visitor: Client, text: str) -> dict[str, Any]:
    """A value for each variable, by its name without the number."""
    ledger = await visitor.ask(
        '{ customer { ledger(filter: { creditType: "ai", kinds: [BURN] }) { edges { node { id } } } } }'
    )
    burn = ledger["customer"]["ledger"]["edges"][0]["node"]["id"]
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "creditType": "ai",
        "within": "P30D",
        "from": (now - timedelta(days=7)).isoformat(),
        "to": now.isoformat(),
        "interval": "DAY",
        "timezone": "UTC",
        "groupBy": "FEATURE",
        "filter": {"creditType": "ai"},
        "first": 20,
        "after": None,
        "attempts": 3,
        "feature": "input-tokens",
        "entries": [burn],
        "reason": "not mine",
        "id": "top_1_1",
        "returnUrl": None,
    }
    inputs = {
        "SpendInput": {"feature": "input-tokens", "quantity": "1"},
        "TopUpInput": {"bundle": PACK["key"], "idempotencyKey": "acme-top-up"},
        "RechargeInput": {
            "creditType": "ai",
            "enabled": True,
            "threshold": "10",
            "bundle": PACK["key"],
            "monthlyCap": {"amount": "50", "currency": "EUR"},
        },
    }
    declared = re.findall(r"\$(\w+?)(\d*): ?\[?(\w+)", text.partition("{")[0])
    return {name + number: inputs.get(kind, values.get(name)) for name, number, kind in declared}


@pytest.mark.parametrize("name", operations())
async def test_what_the_elements_send_needs_one_connection_at_a_time(visitor: Client, name: str):
    kind, text = operations()[name]
    variables = await variables_of(visitor, text)
    if kind == "subscription" and "$id" not in text:
        async with asyncio.timeout(30), visitor.subscribe(text, **variables) as news:
            try:
                async with asyncio.timeout(2):  # some say nothing until something happens
                    await anext(news)
            except TimeoutError:
                pass
            except QueryFailed as error:
                assert "UNAVAILABLE" not in str(error)  # noqa: PT017 -- other refusals are other tests' matter
        return
    response = await visitor.post("/graphql", orjson.dumps({"query": text, "variables": variables}))
    errors = orjson.loads(response.body).get("errors") or []
    assert [error for error in errors if error["extensions"].get("code") == "UNAVAILABLE"] == [], errors


async def test_many_visitors_at_once_are_all_answered(narrow: Server, visitor: Client):
    """Twice as many as a server has connections of any kind."""
    ask = "{ " + " ".join(f'r{n}: customer {{ balance(creditType: "ai") {{ available }} }}' for n in range(8)) + " }"

    async def visit() -> Any:
        async with Client(narrow.url, visitor.secret) as other:
            return await other.ask(ask)

    answers = await asyncio.gather(*(visit() for _ in range(40)))
    assert all(answer["r7"]["balance"]["available"] == "95" for answer in answers)
