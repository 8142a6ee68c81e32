"""Each hot statement looks up what it names, also on tables that PostgreSQL knows nothing of yet.

Statistics lag behind a bulk load by a minute or more. What the planner then thinks a small table is joined row by row
with the batch: with 10,000 entries a batch of 500 burns took a second instead of ten milliseconds.
"""

import json
from typing import Any

import asyncpg
import pytest

from credits.db import Connection, HotConnection, Prepared
from credits.posting.corrections import EntryId
from tests.credits.posting.till import Till

ROWS = 1_500
BATCH = 400


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


def looked_at(node: dict[str, Any]) -> float:
    """Rows that this node touched, over all its loops."""
    removed = sum(node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Join Filter", "Index Recheck"))
    found: float = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return found


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Every statement of the writer that reads or updates, with the most rows that one node of its plan touched."""
    seen: list[tuple[str, float]] = []

    def note(statement: str, plan: str) -> None:
        most = max(map(looked_at, nodes(json.loads(plan)[0]["Plan"])))
        seen.append((" ".join(statement.split()), most))

    def explaining(name: str) -> Any:
        run = getattr(asyncpg.Connection, name)

        async def first_explain(self: asyncpg.Connection, query: str, *arguments: Any, **options: Any) -> Any:
            if query.split(maxsplit=1)[0] == "SELECT":
                explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {query}"
                (row,) = await asyncpg.Connection.fetch(self, explain, *arguments)
                note(query, row[0])
            return await run(self, query, *arguments, **options)

        return first_explain

    send = HotConnection.send

    async def first_explain(self: HotConnection, statement: Prepared, *values: str | None) -> None:
        await send(self, statement, *values)
        if statement.sql.startswith("UPDATE"):  # once more makes no difference
            note(statement.sql, await self.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {self._script[-1]}"))

    for name in ("fetch", "fetchrow"):
        monkeypatch.setattr(Connection, name, explaining(name))
    monkeypatch.setattr(HotConnection, "send", first_explain)
    return seen


async def test_no_statement_of_a_batch_compares_each_row_with_each_key(till: Till, explained: list[tuple[str, float]]):
    await till.many(*(till.grant("10", credit_type="oldest") for _ in range(ROWS // 3)))
    await till.many(*(till.burn("1", credit_type="oldest") for _ in range(ROWS)))
    await till.many(*(till.hold("1", credit_type="oldest") for _ in range(ROWS // 3)))
    explained.clear()
    hold = await till.open_hold("1", credit_type="oldest")
    await till.many(
        *(till.burn("1", credit_type="oldest") for _ in range(BATCH)),
        *(till.grant("1") for _ in range(50)),
        till.settle(hold, "1"),
    )
    for statement, most in explained:
        assert most <= 3 * ROWS, f"{most:,.0f} rows: {statement}"
    kinds = {statement.split()[0] for statement, _ in explained}
    assert kinds == {"SELECT", "UPDATE"}
    assert any("used.key" in statement for statement, _ in explained)
    assert any("UPDATE grants" in statement for statement, _ in explained)
    await till.check()


async def test_a_reversal_looks_up_what_it_names_however_long_the_book_is(
    till: Till, explained: list[tuple[str, float]]
):
    """The entry, its reversals, who has repaid its overdraft: by indexes of nothing else."""
    await till.policy("SOFT")
    await till.many(*(till.burn("1", credit_type="oldest") for _ in range(20)))  # owed
    await till.must(till.grant("5000", credit_type="oldest"))
    await till.many(*(till.burn("1", credit_type="oldest") for _ in range(ROWS)))
    await till.many(till.hold("1", credit_type="oldest"), till.burn("5000", credit_type="oldest"))
    (first,) = await till.rows("SELECT customer_id, credit_type_id, sequence FROM entries WHERE sequence = 1")
    explained.clear()
    given = await till.must(till.reverse_by_place(EntryId(*first.values()), "1"))
    assert list(given.entry.allocations) == [(-1, 1_000_000)]  # its own debt was repaid, that of others is not
    assert any("named" in statement for statement, _ in explained)
    for statement, most in explained:
        assert most <= 30, f"{most:,.0f} rows: {statement}"
    await till.check()
