"""Standings, made in the background: an account as it stood, every few hundred entries, so that no question about the
past reads the whole book again.

Never by the batch that spends: the writer says which accounts it has changed, and that costs it a look into a
dictionary. Whatever is missed, because a process ended or a standing was deleted, is found by looking through the
accounts now and then; until then a question about the past reads a longer stretch of the book, and answers the same.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from credits.db import Database, Fetches, HotConnection
from credits.ledger.standing import FORM, Standing, decode, encode, replay
from credits.ledger.travel import EFFECTS, effect_in
from credits.posting import statements

SPACING = 256  # entries between two standings, at least: a question about the past replays no more than that
_ROOM = 128  # what a standing may hold before the next one waits longer: what is written stays a few bytes an entry
_BLOCKS = 256  # spacings of one account that are read at once
_KNOWN_MAX = 100_000  # accounts whose last standing is remembered

Account = tuple[int, int, int]  # workspace, customer, credit type

# blocks -- What the entries of each block came to: burns by one grant alone added up, so that a busy account's thousands of
# entries are a few rows.
_BLOCKS_OF = f"""
SELECT block.number, e.* FROM generate_series(0, $4::int - 1) AS block (number)
 CROSS JOIN LATERAL ({
    EFFECTS.format(
        customer_id="$1::bigint",
        credit_type_id="$2::int",
        condition="sequence > $3::int + block.number * $5::int AND sequence <= $3::int + (block.number + 1) * $5::int",
    )
}) AS e
 ORDER BY block.number, sequence
"""  # noqa: S608 -- no name from outside

_LAST_STANDING = """
SELECT sequence, state FROM standings
 WHERE customer_id = $1 AND credit_type_id = $2 AND form = $3 ORDER BY sequence DESC LIMIT 1
"""

# behind -- Accounts whose book has grown by a spacing since their last standing, in the order of their keys.
_BEHIND = """
SELECT a.customer_id, a.credit_type_id, a.sequence, coalesce(s.sequence, 0) AS standing
  FROM (SELECT customer_id, credit_type_id, sequence FROM accounts
         WHERE (customer_id, credit_type_id) > ($1::bigint, $2::int)
         ORDER BY customer_id, credit_type_id LIMIT $3) AS a
  LEFT JOIN LATERAL (
    SELECT sequence FROM standings s
     WHERE s.customer_id = a.customer_id AND s.credit_type_id = a.credit_type_id AND s.form = $4
     ORDER BY sequence DESC LIMIT 1) AS s ON true
 ORDER BY a.customer_id, a.credit_type_id
"""
_LOOKED_AT = 10_000  # accounts of one look

# one_at_a_time -- Two processes that write to one account would make the same standings; the second one lets it be.
_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))"


class Keeper:
    """One per process. `note` is told of every commit; `keep` makes what is missing."""

    def __init__(self, database: Database, *, spacing: int = SPACING) -> None:
        self._database = database
        self._spacing = spacing
        self._waiting: dict[Account, int] = {}  # account → its last entry
        self._done: OrderedDict[Account, int] = OrderedDict()  # account → the block it has been seen to

    def note(self, workspace_id: int, customer_id: int, credit_type_id: int, version: int) -> None:
        """An account has grown to that entry. Must cost nothing: it is called after every commit."""
        block = version // self._spacing
        if block:
            account = (workspace_id, customer_id, credit_type_id)
            if self._done.get(account, 0) < block:
                self._waiting[account] = version

    async def keep(self) -> int:
        """Makes the standings of the accounts that have grown; returns how many. Raises what the database raises."""
        made = 0
        while self._waiting:
            account, version = self._waiting.popitem()
            here = await self._keep_one(account, version)
            made += here
            self._done[account] = version // self._spacing
            self._done.move_to_end(account)
            if len(self._done) > _KNOWN_MAX:
                self._done.popitem(last=False)
        return made

    async def look_through(self, workspace_id: int) -> None:
        """Finds the accounts of a workspace that lack standings."""
        after = (-(2**63), 0)
        while True:
            async with self._database.hot(workspace_id) as connection:
                rows = await connection.fetch(_BEHIND, *after, _LOOKED_AT, FORM)
            for row in rows:
                if row["sequence"] - row["standing"] >= self._spacing:
                    self._waiting[workspace_id, row["customer_id"], row["credit_type_id"]] = row["sequence"]
            if len(rows) < _LOOKED_AT:
                return
            after = (rows[-1]["customer_id"], rows[-1]["credit_type_id"])

    async def _keep_one(self, account: Account, version: int) -> int:
        """All blocks of one account that are whole, a stretch of them per database transaction."""
        made, more = 0, True
        while more:
            async with self._database.hot(account[0]) as connection:
                if not await connection.fetchval(_ONE_AT_A_TIME, "standings {} {} {}".format(*account)):
                    return made
                standings, more = await self._stretch(connection, account, version)
                await _write(connection, account, standings)
            made += len(standings)
        return made

    async def _stretch(
        self, connection: HotConnection, account: Account, version: int
    ) -> tuple[list[tuple[int, bytes]], bool]:
        """The next standings of the account, and whether there is more to read behind them."""
        _, customer_id, credit_type_id = account
        last = await connection.fetchrow(_LAST_STANDING, customer_id, credit_type_id, FORM)
        standing = Standing() if last is None else decode(last["sequence"], last["state"])
        begin = since = standing.sequence
        whole = (version - begin) // self._spacing
        blocks = min(whole, _BLOCKS * self._wait(standing))
        found: list[tuple[int, bytes]] = []
        rows = await connection.fetch(_BLOCKS_OF, customer_id, credit_type_id, begin, blocks, self._spacing)
        place = 0
        for block in range(blocks):
            while place < len(rows) and rows[place]["number"] == block:
                replay(standing, effect_in(rows[place]))
                place += 1
            standing.sequence = begin + (block + 1) * self._spacing
            enough = standing.sequence - since >= self._spacing * self._wait(standing)
            if enough or (block + 1 == blocks < whole and not found):
                found.append((standing.sequence, encode(standing)))
                since = standing.sequence
        return found, blocks < whole

    @staticmethod
    def _wait(standing: Standing) -> int:
        """How many spacings lie between this standing and the next one."""
        return 1 + standing.size // _ROOM


async def _write(connection: HotConnection, account: Account, standings: Sequence[tuple[int, bytes]]) -> None:
    if standings:
        workspace_id, customer_id, credit_type_id = account
        rows = [(customer_id, credit_type_id, workspace_id, sequence, FORM, state) for sequence, state in standings]
        await connection.send(statements.INSERT_STANDINGS.statement, *statements.INSERT_STANDINGS.arguments(rows))


# stretches -- What the entries between one standing and the next came to, for several standings of one account.
_STRETCHES = f"""
SELECT stretch.until, e.* FROM unnest($3::int[], $4::int[]) AS stretch (after, until)
 CROSS JOIN LATERAL ({
    EFFECTS.format(
        customer_id="$1::bigint",
        credit_type_id="$2::int",
        condition="sequence > stretch.after AND sequence <= stretch.until",
    )
}) AS e
 ORDER BY stretch.until, sequence
"""  # noqa: S608 -- no name from outside
_ALL_STANDINGS = """
SELECT sequence, state FROM standings
 WHERE customer_id = $1 AND credit_type_id = $2 AND form = $3 AND sequence > $4 ORDER BY sequence LIMIT $5
"""
_COMPARED_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class StandingDifference:
    """The first figure of a standing that the entries up to it do not bear out, in micro-credits."""

    sequence: int
    what: str
    wanted: int
    found: int


async def compare_standings(connection: Fetches, customer_id: int, credit_type_id: int) -> list[StandingDifference]:
    """The account's standings made from its entries anew, and where what is stored differs. Under one view."""
    place, differences, true = (customer_id, credit_type_id), list[StandingDifference](), Standing()
    while True:
        stored = await connection.fetch(_ALL_STANDINGS, *place, FORM, true.sequence, _COMPARED_AT_ONCE)
        ends = [row["sequence"] for row in stored]
        rows = iter(await connection.fetch(_STRETCHES, *place, [true.sequence, *ends[:-1]], ends) if ends else ())
        row = next(rows, None)
        for each in stored:
            while row is not None and row["until"] == each["sequence"]:
                replay(true, effect_in(row))
                row = next(rows, None)
            true.sequence = each["sequence"]
            wanted, found = _figures(encode(true)), _figures(each["state"])
            if wanted != found:
                what = next(name for name in {**wanted, **found} if wanted.get(name) != found.get(name))
                differences.append(StandingDifference(true.sequence, what, wanted.get(what, 0), found.get(what, 0)))
        if len(stored) < _COMPARED_AT_ONCE:
            return differences


def _figures(state: bytes) -> dict[str, int]:
    """Everything that a standing says, by name; of one that cannot be read, nothing."""
    try:
        said = decode(0, state)
    except (ValueError, TypeError):
        return {}
    figures = {"balance": said.balance, "held": said.held, "overdraft": said.overdraft}
    figures |= {f"left of grant {number}": part for number, part in said.remaining.items()}
    for hold, parts in said.holds.items():
        figures |= {f"hold {hold}, part {at} of grant {grant}": part for at, (grant, part) in enumerate(parts)}
    figures |= {f"voided grant {number}": 1 for number in said.voided}
    for (kind, feature, source), line in said.lines.items():
        figures[f"{kind.name} of {feature or source}"] = line.amount
        figures[f"number of {kind.name} of {feature or source}"] = line.count
    return figures
