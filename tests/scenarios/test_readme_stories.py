"""The README's audit chapter is true: its scenario is played, each of its queries and commands is run, and each gives
what is printed there. `python -m tests.scenarios.test_readme_stories` writes the outputs anew.

What differs from run to run is told by what it means: a customer's random number in ids by the customer's key, hashes
by their order, instants by their hour (nothing in the scenario happens between two).
"""

import asyncio
import json
import re
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from server import migrate
from server.embedded import EmbeddedPostgres
from tests.harness.client import Client
from tests.harness.databases import execute
from tests.harness.server import Server
from tests.harness.tidy import REPOSITORY
from tests.scenarios.readme_story import WORKSPACE, play

README = REPOSITORY / "README.md"
CHAPTER = re.compile(r"^## The audit: four questions\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d):\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
HASH = re.compile(r"\b[0-9a-f]{64}\b")
WIDTH = 124


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of the chapter, and where in the README its text lies."""

    language: str
    text: str
    start: int
    end: int


def blocks_of(readme: str) -> list[Block]:
    chapter = CHAPTER.search(readme)
    assert chapter, "the README has no audit chapter"
    found = FENCED.finditer(readme, *chapter.span(1))
    return [Block(each[1], each[2], each.start(2), each.end(2)) for each in found]


def laid_out(value: Any, indent: int = 0) -> str:
    """JSON as a person would write it: on one line what fits there, the plain values of an object side by side."""
    one = json.dumps(value, ensure_ascii=False)
    if len(one) + indent <= WIDTH or not isinstance(value, dict | list):
        return one
    if isinstance(value, list):
        rows = [" " * (indent + 2) + laid_out(each, indent + 2) for each in value]
        return "[\n" + ",\n".join(rows) + "]"
    rows = []
    for name, each in value.items():
        item = f"{json.dumps(name)}: {laid_out(each, indent + 1)}"
        beside = rows and "\n" not in rows[-1] + item and indent + len(rows[-1]) + len(item) + 3 <= WIDTH
        if beside:
            rows[-1] += f", {item}"
        else:
            rows.append(item)
    return "{" + (",\n" + " " * (indent + 1)).join(rows) + "}"


class Teller:
    """Outputs without what differs from run to run; the same thing is called the same in all of them."""

    def __init__(self, customers: dict[str, str]) -> None:
        self.customers = customers
        self.hashes: dict[str, str] = {}

    def __call__(self, output: str) -> str:
        for key, number in self.customers.items():
            output = output.replace(f"_{number}", f"_{key}")
        output = HASH.sub(lambda found: self.hashes.setdefault(found[0], f"hash-{len(self.hashes) + 1}"), output)
        return INSTANT.sub(r"\1:00Z", output)


async def run_commands(server: Server, owner: str, text: str) -> str:
    """The commands of a console block, each with what it prints. What `psql` is told, the owner of the database does."""
    told = []
    for line in text.splitlines():
        if not line.startswith("$ "):
            continue
        told.append(line)
        program, *arguments = shlex.split(line[2:])
        if program == "psql":
            await execute(owner, arguments[-1])
            continue
        assert program == "scrip", line
        done = await server.command(*arguments)
        told += done.stdout.splitlines()
    return "".join(f"{line}\n" for line in told)


async def record(readme: str, database_url: str, folder: Path) -> str:
    """The README with the outputs that its audit chapter has in truth."""
    server = Server(folder / "data", database_url=database_url)
    await server.start()
    try:
        async with Client(server.url, await server.create_key(WORKSPACE, "ADMIN")) as client:
            tell = Teller(await play(client))
            blocks = blocks_of(readme)
            outputs: list[tuple[Block, str]] = []
            for block, following in zip(blocks, [*blocks[1:], None], strict=True):
                if block.language == "graphql":
                    assert following is not None, block
                    assert following.language == "json", block
                    told = tell(orjson.dumps(await client.ask(block.text)).decode())
                    outputs.append((following, laid_out(json.loads(told)) + "\n"))
                elif block.language == "console":
                    outputs.append((block, tell(await run_commands(server, database_url, block.text))))
    finally:
        await server.close()
    for block, output in reversed(outputs):
        readme = readme[: block.start] + output + readme[block.end :]
    return readme


def test_each_of_the_four_questions_has_one_query_and_its_output():
    languages = [block.language for block in blocks_of(README.read_text())]
    assert languages == [*["graphql", "json"] * 4, "console"]


async def test_the_readme_prints_what_its_queries_and_commands_give(database_url: str, scratch: Path):
    readme = README.read_text()
    found = await record(readme, database_url, scratch)
    assert found.splitlines() == readme.splitlines(), "run `python -m tests.scenarios.test_readme_stories` and look"


async def _write_anew() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "pg") as url:
        await migrate.upgrade(url)
        README.write_text(await record(README.read_text(), url, Path(folder)))


if __name__ == "__main__":
    asyncio.run(_write_anew())
