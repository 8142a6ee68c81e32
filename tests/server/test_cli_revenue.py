"""`scrip revenue export` as somebody in finance runs it."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from credits.customers.customers import upsert_customer
from credits.db import Database
from credits.workspaces import ensure_workspace
from tests.credits.posting.till import Till, open_till
from tests.credits.revenue.asking import refund, sell
from tests.harness.server import Completed, Server

FORMULA = '=HYPERLINK("http://evil.example","click")'
EVER = ("--from", "2020-01-01", "--to", "2100-01-01")


class Bookkeeper:
    """A workspace that has sold, and the command on it."""

    def __init__(self, url: str, folder: Path, till: Till) -> None:
        self.till = till
        self._commands = Server(folder / "data", database_url=url)

    async def run(self, *arguments: str) -> Completed:
        return await self._commands.command("revenue", "export", *arguments)

    async def rows(self, *arguments: str) -> list[dict[str, str]]:
        done = await self.run("--workspace", "Acme", *EVER, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("\ufeff")
        return list(csv.DictReader(io.StringIO(done.stdout[1:], newline=""), strict=True))


@pytest.fixture
async def bookkeeper(database_url: str, tmp_path: Path):
    database = await Database.connect(database_url)
    try:
        workspace = await ensure_workspace(database, "Acme", test_mode=True, now=datetime(2026, 1, 1, tzinfo=UTC))
        async with open_till(database, database_url, workspace) as till:
            async with database.transaction(workspace.id) as connection:
                await upsert_customer(connection, workspace.id, FORMULA, {}, datetime.now(UTC))
            granted = await sell(till, "10", 1000, customer=FORMULA)
            await till.must(till.burn("4", customer=FORMULA))
            await refund(till, granted, "5", 500)
            await sell(till, "10", 7, "JPY")
            await sell(till, "8", 1005, "BHD", expires_at=await till.now() + timedelta(days=1))
            await till.must(till.grant("5", cost_amount=Decimal("0.5"), cost_currency="USD"))
            await till.advance(timedelta(days=2))
            yield Bookkeeper(database_url, tmp_path, till)
    finally:
        await database.close()


async def test_the_roll_forward_holds_in_each_row_of_each_currency(bookkeeper: Bookkeeper):
    rows = await bookkeeper.rows()
    assert {row["currency"] for row in rows} == {"BHD", "JPY", "USD"}
    for row in rows:
        opening, sold, recognized, breakage, refunded, closing = (
            Decimal(row[name]) for name in ("opening", "sold", "recognized", "breakage", "refunded", "closing")
        )
        assert opening + sold - recognized - breakage - refunded == closing
    sums = {
        currency: tuple(
            sum(Decimal(row[name]) for row in rows if row["currency"] == currency)
            for name in ("sold", "recognized", "breakage", "refunded")
        )
        for currency in ("USD", "JPY", "BHD")
    }
    assert sums == {
        "USD": (Decimal("12.5"), Decimal(4), 0, Decimal(5)),
        "JPY": (7, 0, 0, 0),
        "BHD": (Decimal("1.005"), 0, Decimal("1.005"), 0),
    }


async def test_the_journal_balances_and_holds_no_formula(bookkeeper: Bookkeeper):
    rows = await bookkeeper.rows("--journal")
    for currency in ("USD", "JPY", "BHD"):
        mine = [row for row in rows if row["currency"] == currency]
        assert sum(Decimal(row["debit"]) - Decimal(row["credit"]) for row in mine) == 0
        assert mine
    assert {row["account"] for row in rows} == {"cash", "clearing", "deferred revenue", "revenue", "breakage"}
    memos = {row["memo"] for row in rows}
    assert f"'{FORMULA}, ai: credits sold" in memos
    assert not any(memo.startswith("=") for memo in memos)
    assert all(row["entry"].startswith("ent_") for row in rows)


async def test_a_file_is_written_whole(bookkeeper: Bookkeeper, tmp_path: Path):
    out = tmp_path / "revenue.csv"
    done = await bookkeeper.run("--workspace", "Acme", *EVER, "--out", str(out))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    printed = await bookkeeper.run("--workspace", "Acme", *EVER)
    assert out.read_bytes().decode() == printed.stdout
    assert [path.name for path in tmp_path.iterdir() if "csv" in path.name] == ["revenue.csv"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--workspace", "Nobody", *EVER), "scrip: no workspace 'Nobody'\n"),
        (("--workspace", "Acme", "--from", "x", "--to", "2026-01-01"), "scrip: --from: 'x' is no day"),
        (("--workspace", "Acme", "--from", "2026-01-02", "--to", "2026-01-01"), "scrip: --to: must lie after from"),
        (("--workspace", "Acme", *EVER, "--interval", "YEAR"), "scrip: --interval: 'YEAR' is none of"),
        (("--workspace", "Acme", *EVER, "--interval", "HOUR"), "scrip: interval: a day is the shortest"),
    ],
)
async def test_what_cannot_be_exported_is_told_in_one_line(
    bookkeeper: Bookkeeper, arguments: tuple[str, ...], says: str
):
    done = await bookkeeper.run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1


async def test_what_is_kept_wrongly_is_made_anew(bookkeeper: Bookkeeper):
    before = await bookkeeper.rows()
    owner = await bookkeeper.till.as_owner()
    await owner.execute("UPDATE revenue_days SET sold = sold + 100")
    await owner.close()
    assert await bookkeeper.rows() != before
    done = await bookkeeper._commands.command("revenue", "rebuild", "--workspace", "Acme")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Acme: revenue of 2 accounts made anew\n", "")
    assert await bookkeeper.rows() == before
    unknown = await bookkeeper._commands.command("revenue", "rebuild", "--workspace", "Nobody")
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "scrip: no workspace 'Nobody'")
