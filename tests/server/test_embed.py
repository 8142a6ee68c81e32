"""`/embed/…` on a real socket: caches, headers, encodings, hashes, and versions that pages have pinned."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import re
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from graphql import DocumentNode, GraphQLSchema, build_schema, parse, print_ast, separate_operations, validate
from starlette.applications import Starlette

from schema.guard import CUSTOMER_BOUNDS, check_skeleton, measure
from server.embed import create_embed_routes, folder
from tests.harness.tidy import REPOSITORY

MANIFEST = json.loads((folder() / "manifest.json").read_bytes())
VERSION = MANIFEST["version"]
PINNED = f"/embed/{VERSION}/embed.js"
FOR_EVER = "public, max-age=31536000, immutable"
FLOATING = "public, max-age=300"


@dataclass(frozen=True, slots=True)
class Host:
    port: int

    async def ask(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """The answer, with its body in `told`; header names are written with underscores."""

        def ask() -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            answer.told = answer.read()  # type: ignore[attr-defined]
            connection.close()
            return answer

        return await asyncio.to_thread(ask)


@contextlib.asynccontextmanager
async def hosting(dist: Path | None = None) -> AsyncIterator[Host]:
    app = Starlette(routes=create_embed_routes(dist))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield Host(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await running


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosting() as served:
        yield served


@pytest.mark.parametrize(
    ("path", "content_type", "cache"),
    [
        ("/embed/v1.js", "text/javascript; charset=utf-8", FLOATING),
        ("/embed/manifest.json", "application/json", FLOATING),
        (PINNED, "text/javascript; charset=utf-8", FOR_EVER),
        (f"/embed/{VERSION}/embed.iife.js", "text/javascript; charset=utf-8", FOR_EVER),
        (f"/embed/{VERSION}/locales/ar.json", "application/json", FOR_EVER),
        (f"/embed/{VERSION}/reserve.css", "text/css; charset=utf-8", FOR_EVER),
        (f"/embed/{VERSION}/custom-elements.json", "application/json", FOR_EVER),
        *[
            (f"/embed/{VERSION}/types/{name}.d.ts", "text/plain; charset=utf-8", FOR_EVER)
            for name in ("embed", "react", "vue", "testing", "testing_server")
        ],
        (f"/embed/{VERSION}/testing.js", "text/javascript; charset=utf-8", FOR_EVER),
        (f"/embed/{VERSION}/testing_server.js", "text/javascript; charset=utf-8", FOR_EVER),
        (f"/embed/{VERSION}/manifest.json", "application/json", FOR_EVER),
        ("/embed/docs", "text/html; charset=utf-8", FLOATING),
        ("/embed/docs/", "text/html; charset=utf-8", FLOATING),
        ("/embed/docs/pay.html", "text/html; charset=utf-8", FLOATING),
        ("/embed/docs/docs.js", "text/javascript; charset=utf-8", FLOATING),
        ("/embed/docs/docs.css", "text/css; charset=utf-8", FLOATING),
        ("/embed/docs/icon.svg", "image/svg+xml", FLOATING),
    ],
)
async def test_any_page_may_load_it(host: Host, path: str, content_type: str, cache: str):
    answer = await host.ask(path, Origin="https://any.example")
    assert answer.status == 200
    assert {
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "timing-allow-origin": "*",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
        "content-type": content_type,
        "cache-control": cache,
    }.items() <= {name.lower(): text for name, text in answer.getheaders()}.items()


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.1, gzip;q=1", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.0, gzip;q=0", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_it_comes_in_the_smallest_encoding_that_the_browser_takes(
    host: Host, accepted: str, encoding: str | None
):
    answer = await host.ask("/embed/v1.js", Accept_Encoding=accepted)
    assert answer.getheader("content-encoding") == encoding
    plain = (folder() / VERSION / "embed.js").read_bytes()
    sent = {"br": (folder() / VERSION / "embed.js.br").read_bytes(), None: plain}
    if encoding == "gzip":
        assert gzip.decompress(answer.told) == plain
    else:
        assert answer.told == sent[encoding]
    assert answer.getheader("content-length") == str(len(answer.told))


@pytest.mark.parametrize(
    "name",
    [
        *[f"{VERSION}/{name}" for name in MANIFEST["files"] if not name.endswith(".d.ts")],
        *[f"docs/{path.name}" for path in sorted((folder() / "docs").iterdir()) if path.suffix not in {".br", ".gz"}],
    ],
)
async def test_everything_comes_compressed(host: Host, name: str):
    plain = (folder() / name).read_bytes()
    zipped = await host.ask(f"/embed/{name}", Accept_Encoding="gzip")
    assert (zipped.getheader("content-encoding"), gzip.decompress(zipped.told)) == ("gzip", plain)
    brotli = await host.ask(f"/embed/{name}", Accept_Encoding="gzip, br")
    assert (brotli.getheader("content-encoding"), len(brotli.told) < len(plain)) == ("br", True)


async def test_the_documentation_names_the_hashes_of_the_manifest(host: Host):
    files = {name: entry["integrity"] for name, entry in MANIFEST["files"].items()}
    page = (await host.ask("/embed/docs")).told.decode()
    named = re.findall(r"sha384-[\w+/=]{64}", page)
    assert files["embed.js"] in named
    assert set(named) <= set(files.values())


async def test_the_documentation_keeps_the_policy_that_it_asks_of_others(host: Host):
    policy = (await host.ask("/embed/docs")).getheader("content-security-policy") or ""
    assert {"default-src 'none'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"} <= set(
        policy.split("; ")
    )
    assert "unsafe" not in policy
    for path in ("/embed/docs", "/embed/docs/pay.html"):
        page = (await host.ask(path)).told.decode()
        assert not re.search(
            r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=[\"']", re.sub(r"<pre.*?</pre>", "", page, flags=re.S)
        )
        loaded = re.findall(
            r'<(?:script|link)[^>]*?(?:src|href)="([^"]+)"', re.sub(r"<pre.*?</pre>", "", page, flags=re.S)
        )
        assert loaded
        for address in loaded:
            assert (await host.ask(address)).status == 200, address
    assert (await host.ask("/embed/v1.js")).getheader("content-security-policy") is None


async def test_what_a_browser_has_is_not_sent_again(host: Host):
    first = await host.ask("/embed/v1.js", Accept_Encoding="br")
    again = await host.ask("/embed/v1.js", Accept_Encoding="br", If_None_Match=f'"other", W/{first.getheader("etag")}')
    assert (again.status, again.told) == (304, b"")
    assert again.getheader("cache-control") == FLOATING
    other_bytes = await host.ask("/embed/v1.js", Accept_Encoding="gzip", If_None_Match=first.getheader("etag"))
    assert other_bytes.status == 200


async def test_the_hashes_of_the_manifest_are_those_of_what_is_sent(host: Host):
    sent = json.loads((await host.ask("/embed/manifest.json")).told)
    assert sent == MANIFEST
    for name, entry in sent["files"].items():
        body = (await host.ask(f"/embed/{VERSION}/{name}")).told
        integrity = "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()
        assert (entry["raw"], entry["integrity"]) == (len(body), integrity), name


async def test_the_floating_script_is_the_current_version(host: Host):
    assert (await host.ask("/embed/v1.js")).told == (await host.ask(PINNED)).told


async def test_head_tells_the_length_and_sends_nothing(host: Host):
    answer = await host.ask("/embed/v1.js", method="HEAD")
    assert (answer.status, answer.told) == (200, b"")
    assert answer.getheader("content-length") == str(MANIFEST["files"]["embed.js"]["raw"])


@pytest.mark.parametrize(
    "path",
    [
        "/embed/0.0.9/embed.js",
        f"/embed/{VERSION}/other.js",
        f"/embed/{VERSION}/embed.js.br",
        f"/embed/{VERSION}/locales/xx.json",
        "/embed/v2.js",
        "/embed/",
        f"/embed/{VERSION}/",
        "/embed/../server/embed.py",
        "/embed/%2e%2e/server/embed.py",
        "/embed/..%2f..%2fpyproject.toml",
        "/embed//etc/passwd",
    ],
)
async def test_there_is_nothing_else(host: Host, path: str):
    answer = await host.ask(path)
    assert answer.status == 404
    assert answer.getheader("cache-control") is None


async def test_it_only_answers_reading(host: Host):
    assert (await host.ask("/embed/v1.js", method="POST")).status == 405


async def test_a_version_that_pages_have_pinned_stays_when_a_new_one_is_current(tmp_path: Path):
    for version, script in {"0.9.0": "old", "0.10.0": "new", "0.11.0-rc": "next"}.items():
        (tmp_path / version).mkdir()
        (tmp_path / version / "embed.js").write_text(script)
    (tmp_path / "manifest.json").write_text('{"version": "0.10.0"}')
    async with hosting(tmp_path) as host:
        assert (await host.ask("/embed/0.9.0/embed.js")).told == b"old"
        assert (await host.ask("/embed/v1.js")).told == b"new"


async def test_a_checkout_without_a_bundle_has_none(tmp_path: Path):
    async with hosting(tmp_path) as host:
        assert (await host.ask("/embed/v1.js")).status == 404


def test_the_bundle_is_of_this_version():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    package = json.loads((REPOSITORY / "package.json").read_text())
    assert VERSION == project["version"] == package["version"]


DOCUMENTS = ["documents", "documents_buying"]


def document(name: str) -> DocumentNode:
    return parse((REPOSITORY / "frontend_embed" / f"{name}.graphql").read_text())


def pending() -> set[str]:
    """What the contract promises and the schema does not have yet, as validation names it."""
    listed = (REPOSITORY / "tests" / "schema" / "pending.txt").read_text()
    fields = re.findall(r"^FIELD_REMOVED: Field (\w+)\.(\w+) was removed", listed, re.MULTILINE)
    types = re.findall(r"^TYPE_REMOVED: (\w+) was removed", listed, re.MULTILINE)
    return {f"Cannot query field '{name}' on type '{owner}'." for owner, name in fields} | {
        f"Unknown type '{name}'." for name in types
    }


def faults(schema: GraphQLSchema, asked: DocumentNode) -> list[str]:
    return [error.message for error in validate(schema, asked, hide_suggestions=True)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_elements_ask_for_is_in_the_schema(name: str):
    schema = build_schema((REPOSITORY / "schema" / "schema.graphql").read_text())
    assert len(document(name).definitions) >= 2
    assert set(faults(schema, document(name))) - pending() == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_elements_ask_for_is_within_what_a_customers_token_may_ask(name: str):
    schema = build_schema((REPOSITORY / "schema" / "schema.graphql").read_text())
    given = {"first4": 100, "first": 500, "attempts": 3, "attempts3": 3}
    for operation in separate_operations(document(name)).values():
        check_skeleton(print_ast(operation), CUSTOMER_BOUNDS)
        if not faults(schema, operation):
            measure(schema, operation, CUSTOMER_BOUNDS, introspection=False, variables=given)
