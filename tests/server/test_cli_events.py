"""`scrip events import` against a real database of a data folder (faults.md E10, W3: real usage, twice, interrupted)."""

import asyncio
import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from credits.catalog.apply import CatalogApplied, apply
from credits.customers.customers import upsert_customer
from credits.db import Database
from credits.workspaces import WorkspaceName, ensure_workspace
from server import migrate
from server.cli import app
from server.embedded import EmbeddedPostgres
from server.live import Hub
from server.operator_error import OperatorError
from tests.harness.world import CATALOG, PER_INPUT, PER_OUTPUT, SCALE
from tests.model.trace import cost_by_customer, read_trace
from tests.server.live_harness import REPOSITORY, WAIT_S

T = TypeVar("T")

MAP = """
source: {value: trace}
id: {row: true}
type: {value: llm.tokens}
subject: {column: CUSTOMER}
time: {column: TIMESTAMP, timezone: UTC}
data: {model: {value: chat}, input_tokens: {column: ContextTokens}, output_tokens: {column: GeneratedTokens}}
"""
HEADER = ("TIMESTAMP", "ContextTokens", "GeneratedTokens", "CUSTOMER")


class Shop:
    """A workspace in a data folder whose database runs, as beside a server; the commands use it too."""

    def __init__(self, data_dir: Path, url: str, name: str) -> None:
        self.data_dir, self.url, self.name = data_dir, url, name
        self.options = ["--workspace", name, "--data-dir", str(data_dir)]
        self.bookmarks = data_dir / "imports"

    def work(self, verb: Callable[[Database, WorkspaceName], Awaitable[T]]) -> T:
        async def run() -> T:
            store = await Database.connect(self.url, size=2)
            try:
                now = datetime(2026, 1, 1, tzinfo=UTC)
                return await verb(store, await ensure_workspace(store, self.name, test_mode=True, now=now))
            finally:
                await store.close()

        return asyncio.run(run())

    def open(self, customers: list[str]) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)

        async def make(store: Database, workspace: WorkspaceName) -> None:
            async with store.transaction(workspace.id) as connection:
                assert isinstance(await apply(connection, workspace.id, CATALOG, now), CatalogApplied)
                for key in customers:
                    await upsert_customer(connection, workspace.id, key, {}, now)

        self.work(make)

    def burned(self) -> dict[str, int]:
        """Micro-credits by customer, from the entries."""

        async def read(store: Database, workspace: WorkspaceName) -> dict[str, int]:
            async with store.transaction(workspace.id) as connection:
                rows = await connection.execute(text(_BURNED))
                return {row.key: int(row.burned) for row in rows}

        return self.work(read)

    def events(self) -> int:
        async def read(store: Database, workspace: WorkspaceName) -> int:
            async with store.transaction(workspace.id) as connection:
                return int((await connection.execute(text("SELECT count(*) FROM usage_events"))).scalar_one())

        return self.work(read)

    def load(self, file: Path, *options: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error of an import."""
        result = CliRunner().invoke(app, ["events", "import", str(file), *self.options, *options])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def spawn(self, file: Path, *options: str) -> "subprocess.Popen[str]":
        """An import as a process of its own."""
        command = [sys.executable, "-m", "server.cli", "events", "import", str(file), *self.options, *options]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=REPOSITORY, env={**os.environ})


_BURNED = """
SELECT c.key, -sum(e.amount) AS burned FROM entries e JOIN customers c ON c.id = e.customer_id
 WHERE e.kind = 2 GROUP BY c.key"""


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[Path, str]]:
    with tempfile.TemporaryDirectory(prefix="scrip-import-") as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user, who has to enter
        with EmbeddedPostgres(Path(folder)) as url:
            asyncio.run(migrate.upgrade(url))
            yield Path(folder), url


@pytest.fixture
def shop(database: tuple[Path, str], request: pytest.FixtureRequest) -> Shop:
    made = Shop(*database, name=request.node.name)
    made.open(["acme", "other", "last"])
    return made


def told(output: str) -> tuple[int, int, int]:
    """(accepted, duplicates, rejected)."""
    found = re.match(r"accepted (\d+), duplicates (\d+), rejected (\d+)\n", output)
    assert found is not None, output
    return int(found[1]), int(found[2]), int(found[3])


def csv_of(path: Path, rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def map_of(folder: Path, content: str = MAP) -> tuple[str, str]:
    path = folder / "map.yaml"
    path.write_text(content, encoding="utf-8")
    return "--map", str(path)


def test_the_real_trace_burns_to_the_last_micro_credit_and_a_second_time_nothing(shop: Shop, tmp_path: Path) -> None:
    trace = read_trace()
    expected = cost_by_customer(trace, per_input=PER_INPUT, per_output=PER_OUTPUT, scale=SCALE)
    shop.open(list(expected))
    rows = [(row.timestamp, row.input_tokens, row.output_tokens, row.customer) for row in trace]
    file = csv_of(tmp_path / "trace.csv", rows)
    status, output, _ = shop.load(file, *map_of(tmp_path), "--accept-late")
    assert (status, told(output)) == (0, (len(trace), 0, 0))
    assert shop.burned() == expected
    status, output, _ = shop.load(file, *map_of(tmp_path), "--accept-late")
    assert (status, told(output)) == (0, (0, len(trace), 0))
    assert shop.burned() == expected


def test_history_without_accept_late_is_kept_and_said(shop: Shop, tmp_path: Path) -> None:
    file = csv_of(tmp_path / "old.csv", [("2023-11-16 18:15:46.6805900", 374, 44, "acme")] * 3)
    status, output, _ = shop.load(file, *map_of(tmp_path))
    assert (status, told(output)) == (1, (0, 0, 3))
    assert "LATE 3: its time lies before the cutoff for late usage (first: row 1, id old.csv:1)" in output
    assert "--accept-late" in output
    assert (shop.burned(), shop.events()) == ({}, 3)


def test_what_is_rejected_is_told_by_reason_and_kept_once(shop: Shop, tmp_path: Path) -> None:
    at = "2023-11-16 18:15:46"
    rows: list[tuple[object, ...]] = [
        (at, 100, 10, "acme"),
        (at, -1, 1, "acme"),
        (at, 1, 1, "nobody"),
        (at, 1),
        (at, "x", 1, "acme"),
    ]
    file = csv_of(tmp_path / "mixed.csv", rows)
    status, output, _ = shop.load(file, *map_of(tmp_path), "--accept-late")
    assert (status, told(output)) == (1, (1, 0, 4))
    assert "INVALID 3: data.input_tokens is negative (first: row 2, id mixed.csv:2)" in output
    assert "UNKNOWN_CUSTOMER 1: no customer 'nobody' (first: row 3, id mixed.csv:3)" in output
    assert shop.burned() == {"acme": 120_000}
    status, output, _ = shop.load(file, *map_of(tmp_path), "--accept-late")
    assert (status, told(output)) == (0, (0, 5, 0))
    assert shop.events() == 5


EVENT = {"specversion": "1.0", "source": "file", "type": "llm.tokens", "subject": "acme"}


@pytest.mark.parametrize("form", ["lines", "array", "rows"])
def test_json_files_hold_cloudevents_or_rows(shop: Shop, tmp_path: Path, form: str) -> None:
    data = [{"model": "chat", "input_tokens": number, "output_tokens": 1.5} for number in range(1_000, 1_050)]
    options: tuple[str, ...] = ()
    if form == "rows":
        lines = [
            json.dumps({"who": "acme", "in": each["input_tokens"], "out": 1.5, "nr": nr})
            for nr, each in enumerate(data)
        ]
        content = "{source: {value: file}, id: {column: nr}, type: {value: llm.tokens}, subject: {column: who}, "
        options = map_of(tmp_path, content + "data: {input_tokens: {column: in}, output_tokens: {column: out}}}")
    else:
        lines = [json.dumps({**EVENT, "id": str(number), "data": each}) for number, each in enumerate(data)]
    file = tmp_path / "events.json"
    broken = "{broken}"
    file.write_text(
        f"[{','.join([*lines, broken])}]" if form == "array" else "\n".join([*lines, broken]), encoding="utf-8"
    )
    for accepted, duplicates, rejected in ((50, 0, 1), (0, 51, 0)):
        status, output, _ = shop.load(file, *options)
        assert (status, told(output)) == (int(rejected > 0), (accepted, duplicates, rejected))
    assert shop.burned() == {"acme": sum(range(1_000, 1_050)) * 1_000 + 50 * 3_000}


def big_file(folder: Path, rows: int = 20_000, of_last: int = 4_000) -> Path:
    """Rows of two customers in turn, and at the end those of a third."""
    at, names = "2023-11-16 18:15:46", ("acme", "other")
    return csv_of(
        folder / "big.csv",
        [(at, 100 + n % 50, n % 7, names[n % 2] if n < rows - of_last else "last") for n in range(rows)],
    )


def cost_of(rows: int) -> int:
    return sum((100 + n % 50) * 1_000 + (n % 7) * 2_000 for n in range(rows))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_import_goes_on_where_it_was(shop: Shop, tmp_path: Path, number: int) -> None:
    file = big_file(tmp_path)
    options = (*map_of(tmp_path), "--accept-late")
    status, output, errors = interrupted(shop, number, file, *options)
    (done,) = _rows_done(shop.bookmarks)
    assert 0 < done < 20_000
    if number == signal.SIGINT:
        assert status == 130
        assert told(output) == (done, 0, 0)
        assert f"stopped after row {done}: interrupted; run the same command again" in errors
    status, output, errors = shop.load(file, *options)
    assert f"going on after row {done}," in errors
    accepted, duplicates, rejected = told(output)
    assert (status, accepted + duplicates, rejected) == (0, 20_000, 0)
    if number == signal.SIGINT:
        assert duplicates == 0, "what was committed when it was interrupted is counted"
    assert sum(shop.burned().values()) == cost_of(20_000)
    assert list(_rows_done(shop.bookmarks)) == [], "gone with the end of the import"


def test_an_import_interrupted_at_its_last_rows_has_counted_them(shop: Shop, tmp_path: Path) -> None:
    file, options = big_file(tmp_path, 4_000, of_last=2_000), (*map_of(tmp_path), "--accept-late")
    status, output, errors = interrupted(shop, signal.SIGINT, file, *options)
    assert (status, told(output)) == (130, (4_000, 0, 0))
    assert "stopped after row 4000: interrupted" in errors
    status, output, _ = shop.load(file, *options)
    assert (status, told(output)) == (0, (4_000, 0, 0))
    assert sum(shop.burned().values()) == cost_of(4_000)
    assert list(_rows_done(shop.bookmarks)) == []


def interrupted(shop: Shop, number: int, file: Path, *options: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error of an import that got a signal in the middle.

    It cannot be done before it gets it: the customer of the file's last rows is locked until then.
    """

    async def run() -> tuple[int, str, str]:
        keeper = await asyncpg.connect(shop.url)
        async with keeper.transaction():
            await keeper.execute("SELECT FROM customers WHERE key = 'last' FOR UPDATE")
            process = await asyncio.to_thread(shop.spawn, file, *options)
            async with asyncio.timeout(60):
                while not (any(_rows_done(shop.bookmarks)) and await keeper.fetchval(_WAITING)):
                    assert process.poll() is None, process.communicate()
                    await asyncio.sleep(0.005)
            process.send_signal(number)
        output, errors = await asyncio.to_thread(process.communicate, timeout=60)
        await keeper.close()
        return process.returncode, output, errors

    return asyncio.run(run())


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def _rows_done(folder: Path) -> list[int]:
    return [json.loads(path.read_text())["rows"] for path in folder.glob("*.json")]


def test_a_bookmark_is_for_one_file_map_workspace_and_database(shop: Shop, tmp_path: Path) -> None:
    file, options = big_file(tmp_path, 6_000), (*map_of(tmp_path), "--accept-late")
    interrupted(shop, signal.SIGKILL, file, *options)
    small = csv_of(tmp_path / "small.csv", [("2023-11-16 18:15:46", 1, 1, "acme")])
    (tmp_path / "elsewhere").mkdir()
    other_map = map_of(tmp_path / "elsewhere", MAP.replace("value: trace", "value: other"))
    for other in ((small, *options), (file, *other_map, "--accept-late"), (file, *options, "--from-start")):
        _, output, errors = shop.load(*other)
        assert "going on" not in errors
        assert sum(told(output)) in (1, 6_000)
    assert sum(shop.burned().values()) == 2 * cost_of(6_000) + 3_000


def test_a_bookmark_of_a_database_that_forgot_is_not_believed(shop: Shop, tmp_path: Path) -> None:
    file, options = big_file(tmp_path, 6_000), (*map_of(tmp_path), "--accept-late")
    interrupted(shop, signal.SIGKILL, file, *options)
    (path,) = shop.bookmarks.glob("*.json")
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "last": "0" * 32}))  # an event that the database does not have
    status, output, errors = shop.load(file, *options)
    assert "going on" not in errors
    assert (status, sum(told(output)[:2])) == (0, 6_000)
    assert sum(shop.burned().values()) == cost_of(6_000)


def test_subscribers_of_a_running_server_are_woken(shop: Shop, tmp_path: Path) -> None:
    file = csv_of(tmp_path / "one.csv", [("2023-11-16 18:15:46", 100, 10, "acme")])

    async def watch() -> dict[int, int]:
        store = await Database.connect(shop.url, size=1)
        workspace = await ensure_workspace(store, shop.name, test_mode=True, now=datetime(2026, 1, 1, tzinfo=UTC))
        async with store.transaction(workspace.id) as connection:
            acme = (await connection.execute(text("SELECT id FROM customers WHERE key = 'acme'"))).scalar_one()
        await store.close()
        hub = Hub("memory://", shop.url)
        await hub.start()
        try:
            async with hub.subscribe(workspace.id, acme) as signals:
                process = await asyncio.to_thread(shop.spawn, file, *map_of(tmp_path), "--accept-late")
                while True:
                    assert await signals.next(WAIT_S) == "changed"
                    if signals.versions:
                        await asyncio.to_thread(process.communicate)
                        assert process.returncode == 0
                        return signals.versions
        finally:
            await hub.stop()

    assert list(asyncio.run(watch()).values()) == [2], "the version after two entries"


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (None, (), "usage.csv: is no file that can be read"),
        ("a,b\n1,2", (), "usage.csv: a CSV file needs a map"),
        ("a,b\n1,2", ("--map", "nowhere.yaml"), "nowhere.yaml: No such file"),
        ("a,b\n1,2", MAP, "map.yaml: subject: the file has no column 'CUSTOMER'; it has a, b"),
        ("a,b\n1,2", "source: {", "map.yaml: line 1"),
        ("a,b\n1,2", "sauce: {}", "map.yaml: the map.sauce: is not known here"),
        ("a,a\n1,2", MAP, "usage.csv: the first line must name the columns"),
    ],
)
def test_what_stops_an_import_before_it_begins_is_one_line(
    shop: Shop, tmp_path: Path, content: str | None, options: str | tuple[str, ...], said: str
) -> None:
    file = tmp_path / "usage.csv"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(OperatorError) as stopped:
        shop.load(file, *(map_of(tmp_path, options) if isinstance(options, str) else options))
    assert said in str(stopped.value)


def test_an_unknown_workspace_is_named_with_those_there_are(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("{}\n", encoding="utf-8")
    name, shop.options[1] = shop.options[1], "nobody's"
    with pytest.raises(OperatorError, match=f'there is no workspace "nobody\'s"; there is: .*{re.escape(name)}'):
        shop.load(file)


def test_a_file_that_cannot_be_read_to_its_end_says_how_far_it_came(shop: Shop, tmp_path: Path) -> None:
    events = [
        json.dumps({**EVENT, "id": str(number), "data": {"input_tokens": 1, "output_tokens": 1}})
        for number in range(10)
    ]
    file = tmp_path / "cut.json"
    file.write_text("[" + ",".join(events)[:-5], encoding="utf-8")
    status, output, errors = shop.load(file)
    assert status == 1
    assert "after row 9: is no JSON array: it does not end" in errors
    assert told(output)[0] in (0, 9)
