"""Hostile documents and bodies against the running server and its whole schema: refused, or answered in no time.

The same attacks measured one by one, without the network: `tests/schema/test_guard.py`.
"""

from typing import Any

import orjson
import psutil
import pytest
from graphql import get_introspection_query

from credits.bounds import BODY_BYTES_MAX, TOKEN_BODY_BYTES_MAX
from tests.harness.client import Client
from tests.harness.wire import Response, Wire

PROCESSOR_S = 0.05
TIMES = 5


def chained(count: int, link: str) -> str:
    """Fragments on an entry that each spread the next as `link` says; `{}` is the next one's number."""
    links = [f"fragment F{n} on LedgerEntry {{ {link.format(n + 1, n + 1)} }}" for n in range(count)]
    return " ".join(['{ entry(id: "x") { ...F0 } }', *links, f"fragment F{count} on LedgerEntry {{ id }}"])


def deep(levels: int) -> str:
    return '{ entry(id: "x") ' + "{ hold { entries " * levels + "{ id }" + " } }" * levels + " }"


ALIASED = "a: hold {{ entries {{ ...F{} }} }} b: hold {{ entries {{ ...F{} }} }}"
PAGES = (
    "{ customers(first: 500) { edges { node { ledger(first: 500) { edges { node { allocations { amount } } } } } } } }"
)
# Case: a document that nobody may have answered.
REFUSED = {
    "G1": chained(200, "...F{} ...F{}"),
    "G2": chained(14, ALIASED),
    "G3": deep(25),
    "G4": "{ " + " ".join(f"a{n}: viewer {{ now }}" for n in range(1_000)) + " }",
    "G5": "{ viewer { " + "now " * 20_000 + "} }",
    "G6": "{ viewer { now " + "@include(if: true) " * 3_000 + "} }",
    "G7": '{ entry(id: "x") { ...A } } fragment A on LedgerEntry { hold { entries { ...A } } }',
    "G9": "{ __schema { types { fields { type { fields { type { name } } } } } } }",
    "G16": get_introspection_query(),
    "G17": "{ customers(first: 1000000000) { edges { cursor } } }",
    "G18": PAGES,
    "G20": "mutation { "
    + " ".join(f'a{n}: release(hold: "x", idempotencyKey: "k{n}") {{ __typename }}' for n in range(101))
    + " }",
}


@pytest.fixture(scope="module")
async def credentials(world) -> dict[str, str]:
    """Whoever may send documents: a page with its customer's token, a backend, an operator's key."""
    client = await world.client()
    await client.must("upsertCustomer", key="page")
    token = await client.must("createEmbedToken", customer="page")
    key = await client.must("createApiKey", name="backend", role="BACKEND")
    return {"page": token["token"], "backend": key["secret"], "admin": world.secret}


async def send(world, secret: str, query: str) -> tuple[Response, Any]:
    client = await world.client(secret=secret)
    response = await client.post("/graphql", orjson.dumps({"query": query}))
    return response, orjson.loads(response.body)


def processor_s(server) -> float:
    """What the server and its workers have used, without the tests' share and without PostgreSQL's."""
    main = psutil.Process(server.pid)
    family = [main, *main.children(recursive=True)]
    times = [process.cpu_times() for process in family if "postgres" not in process.name()]
    return sum(spent.user + spent.system for spent in times)


@pytest.mark.parametrize("who", ["page", "backend", "admin"])
@pytest.mark.parametrize("case", REFUSED)
async def test_a_hostile_document_is_refused_by_the_running_server(world, credentials, case, who):
    response, body = await send(world, credentials[who], REFUSED[case])
    code = body["errors"][0]["extensions"]["code"]
    # Who may ask comes before how much: a page may send no such mutation, were it but one; a backend lists nobody.
    assert code == "BAD_REQUEST" or (code == "FORBIDDEN" and case in ("G17", "G18", "G20")), body
    assert "data" not in body
    # 80 kB are too long a body for a page, whatever they say.
    assert response.status == (413 if (case, who) == ("G5", "page") else 200)
    assert len(response.body) < 2_000
    assert "Did you mean" not in str(body)


async def test_refusing_costs_next_to_nothing_and_the_next_caller_is_served(world, credentials, server):
    """Each document is another every time, so that no memory of documents helps."""
    client = await world.client(secret=credentials["page"])
    for case, query in REFUSED.items():
        begun = processor_s(server)
        for number in range(TIMES):
            body = orjson.dumps({"query": f"{query} # {case}.{number}"})
            assert b"errors" in (await client.post("/graphql", body)).body
        spent = (processor_s(server) - begun) / TIMES
        assert spent < PROCESSOR_S, f"{case}: {spent * 1000:.0f} ms of processor time"
    assert (await client.ask("{ viewer { now } }"))["viewer"]["now"]


async def test_plain_fragments_that_double_at_each_spread_are_answered_or_refused_at_once(world, credentials, server):
    """What held servers for a minute whose limiters walk a fragment at every spread: 25 fragments, 1 kB."""
    begun = processor_s(server)
    _, body = await send(world, credentials["page"], chained(25, "...F{} ...F{}"))
    assert processor_s(server) - begun < 4 * PROCESSOR_S
    assert body.get("errors", [{}])[0].get("extensions", {}).get("code") == "BAD_REQUEST" or body["data"] == {
        "entry": None
    }


@pytest.mark.parametrize("first", ["1000000000", "501", "0", "-1"])
async def test_no_list_is_longer_than_its_bound(world, first):
    _, body = await send(world, world.secret, f"{{ customers(first: {first}) {{ edges {{ cursor }} }} }}")
    assert body["errors"][0]["extensions"]["code"] == "BAD_REQUEST", body
    _, body = await send(world, world.secret, "{ customers(first: 500) { edges { cursor } } }")
    assert "errors" not in body


async def test_a_page_brings_one_mutation_a_document_and_a_backend_a_hundred(world, credentials):
    await (await world.client()).must("upsertCustomer", key="hundred")

    def burns(count: int) -> str:
        given = 'customer: "hundred", creditType: "ai", amount: "1", idempotencyKey: "k{}"'
        each = " ".join(f"a{n}: burn(input: {{ {given.format(n)} }}) {{ __typename }}" for n in range(count))
        return f"mutation {{ {each} }}"

    _, body = await send(world, credentials["backend"], burns(100))
    assert {answer["__typename"] for answer in body["data"].values()} == {"InsufficientCredits"}
    for who, count in (("page", 30), ("page", 1), ("backend", 101)):
        _, body = await send(world, credentials[who], burns(count))
        assert body["errors"][0]["extensions"]["code"] in ("BAD_REQUEST", "FORBIDDEN")
        assert "data" not in body


# ─── what is no request for GraphQL ────────────────────────────────────────────────────────────────
QUERY = b'{"query": "{ viewer { now } }"}'
NO_REQUESTS: dict[str, tuple[str, str, str, bytes, int]] = {
    # case: method, target, content type, body, status
    "G8 an array of operations": ("POST", "/graphql", "application/json", b"[" + QUERY + b"," + QUERY + b"]", 400),
    "G8 an array of one": ("POST", "/graphql", "application/json", b"[" + QUERY + b"]", 400),
    "G10 a mutation by GET": ("GET", '/graphql?query=mutation{release(hold:"x",idempotencyKey:"k"){code}}', "", b"", 405),
    "G12 a query by GET": ("GET", "/graphql?query={viewer{now}}", "", b"", 405),
    "G11 a form": ("POST", "/graphql", "application/x-www-form-urlencoded", b"query={viewer{now}}", 415),
    "G11 text": ("POST", "/graphql", "text/plain", QUERY, 415),
    "G11 an upload": (
        "POST",
        "/graphql",
        "multipart/form-data; boundary=b",
        b'--b\r\ncontent-disposition: form-data; name="operations"\r\n\r\n' + QUERY + b"\r\n--b--\r\n",
        415,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_REQUESTS)
async def test_what_is_no_request_is_refused_by_the_running_server(world, case):
    method, target, content_type, body, status = NO_REQUESTS[case]
    wire = Wire(world.url)
    headers = {"Authorization": f"Bearer {world.secret}", "Content-Type": content_type}
    response = await wire.request(method, target, headers, body)
    wire.drop()
    assert response.status == status, response
    assert b'"now"' not in response.body


async def test_graphiql_is_not_served(world):
    wire = Wire(world.url)
    response = await wire.request("GET", "/graphql", {"Accept": "text/html"})
    wire.drop()
    assert response.status == 405
    assert b"<html" not in response.body.lower()


async def test_the_running_server_bounds_a_body_by_its_credential(world, credentials):
    async def status(secret: str, size: int) -> int:
        caller = Client(world.url, secret)
        body = orjson.dumps({"query": "{ viewer { now } }", "pad": ""})
        response = await caller.post("/graphql", body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"'))
        caller.wire.drop()
        return response.status

    for who, most in (("page", TOKEN_BODY_BYTES_MAX), ("backend", BODY_BYTES_MAX)):
        assert await status(credentials[who], most) == 200, who
        assert await status(credentials[who], most + 1) == 413, who
