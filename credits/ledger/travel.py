"""Time travel: an account as it was at an instant, as it was known at another. None of it locks or writes.

What counts at `at`, as known at `known_at`: every entry that occurred by `at` and was recorded by `known_at`, and what
was known then to fall due by `at` (expiries, scheduled grants, lapses), booked or not.

It costs the same however long the book is. Along an account's book `recorded_at` never falls, so the last entry
recorded by an instant is found by halving. Up to there the nearest standing counts, and the few entries behind it; then
what is out of order around the instant is put right: entries recorded before it that occurred after it, and those that
occurred before it and were recorded later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds
from credits.ledger.account import Account
from credits.ledger.advance import advance
from credits.ledger.entries import Kind
from credits.ledger.reads import read_grants, read_holds
from credits.ledger.rows import Row, account_of, grant_of, hold_of, pairs
from credits.ledger.standing import FORM, Effect, Standing, decode, effect_of, replay, weigh
from credits.ledger.tables import accounts, grants, holds

# An entry out of order by no more than this is looked for beside the instant; of those further off `entries.lag` says the
# class: each is late by at least its bound, and by less than the next one's. Pinned to the column by a test.
AHEAD = timedelta(seconds=10)
LATE = tuple(timedelta(seconds=30 * 4**power) for power in range(12))
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)

# last_recorded -- For each instant the last entry recorded by then, by halving the account's book: the primary key is
# asked once a step. LIMIT: one look-up at a time, whatever the planner thinks of the table.
_LAST_RECORDED = text("""
WITH RECURSIVE halving (number, at, low, high) AS (
  SELECT number, at, 0, CAST(:head AS int)
    FROM unnest(CAST(:instants AS timestamptz[])) WITH ORDINALITY AS wanted (at, number)
  UNION ALL
  SELECT h.number, h.at, CASE WHEN middle.before THEN middle.sequence ELSE h.low END,
         CASE WHEN middle.before THEN h.high ELSE middle.sequence - 1 END
    FROM halving h
   CROSS JOIN LATERAL (
     SELECT e.sequence, e.recorded_at <= h.at AS before FROM entries e
      WHERE e.customer_id = :customer_id AND e.credit_type_id = :credit_type_id
        AND e.sequence = h.low + (h.high - h.low + 1) / 2
      LIMIT 1) AS middle
   WHERE h.low < h.high
)
SELECT number, low FROM halving WHERE low = high
""")

# nearest_standings -- For each sequence the last standing up to it.
_NEAREST_STANDINGS = text("""
SELECT wanted.sequence AS wanted, s.sequence, s.state
  FROM unnest(CAST(:sequences AS int[])) AS wanted (sequence)
 CROSS JOIN LATERAL (
   SELECT s.sequence, s.state FROM standings s
    WHERE s.customer_id = :customer_id AND s.credit_type_id = :credit_type_id AND s.form = :form
      AND s.sequence <= wanted.sequence
    ORDER BY s.sequence DESC LIMIT 1) AS s
""")

# EFFECTS -- What replaying needs of entries: burns by one grant alone are added up, everything else comes one by one. The
# source is that of the grant that an entry is about (entries.about). OFFSET 0: a range of the primary key at a
# time, never the whole book.
EFFECTS = """
SELECT e.kind, e.feature_id, e.grant_number, e.hold_number, e.allocations, e.alone AS sequence,
       count(*)::int AS count, sum(e.amount)::bigint AS amount, coalesce(sum(e.held_amount), 0)::bigint AS held_amount,
       CASE WHEN e.kind IN (1, 7, 8, 10, 12) OR (e.kind = 11 AND e.allocations[2] = 0) THEN (
         SELECT g.source FROM grants g
          WHERE g.customer_id = {customer_id} AND g.credit_type_id = {credit_type_id}
            AND g.number = abs(coalesce(e.grant_number, e.allocations[1]))) END AS source
  FROM (SELECT *, CASE WHEN kind <> 2 OR grant_number IS NULL THEN sequence END AS alone FROM entries
         WHERE customer_id = {customer_id} AND credit_type_id = {credit_type_id} AND {condition} OFFSET 0) AS e
 GROUP BY e.kind, e.feature_id, e.grant_number, e.hold_number, e.allocations, e.alone"""

# counted -- For each instant asked for: first the entries behind its standing, then what is out of order around it: ahead
# (recorded by the instant, occurred after it), and late (recorded after it, occurred by it), each near it and far off.
_BEHIND, _AHEAD, _LATE = 1, 2, 3
# Each class of lateness, and from when on something of it can have been recorded after the instant. Worked out beforehand:
# behind row-level security a condition with a COALESCE in it is no index's.
_CLASSES = """
 CROSS JOIN LATERAL (
   SELECT class.lag, coalesce(asked.at - class.reach, '-infinity') AS since
     FROM unnest(CAST(:lags AS smallint[]), CAST(:reaches AS interval[])) AS class (lag, reach)
   OFFSET 0) AS class"""
_PARTS = (
    (_BEHIND, "", "sequence > asked.standing AND sequence <= asked.place"),
    (_AHEAD, "", "sequence > asked.ahead AND sequence <= asked.place AND lag IS NULL AND occurred_at > asked.at"),
    (
        _AHEAD,
        "",
        """lag = -1 AND occurred_at > asked.at AND occurred_at <= asked.at + CAST(:skew AS interval)
           AND sequence <= asked.place""",
    ),
    (_LATE, "", "sequence > asked.place AND sequence <= asked.late AND lag IS NULL AND occurred_at <= asked.at"),
    (
        _LATE,
        _CLASSES,
        """lag = class.lag AND occurred_at > class.since AND occurred_at <= asked.at
           AND sequence > asked.place AND sequence <= :known""",
    ),
)


def _part(part: int, classes: str, condition: str) -> str:
    effects = EFFECTS.format(customer_id=":customer_id", credit_type_id=":credit_type_id", condition=condition)
    return f"SELECT asked.number, {part} AS part, e.* FROM asked {classes} CROSS JOIN LATERAL ({effects}) AS e"  # noqa: S608


_COUNTED = text(
    f"""
WITH asked AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:numbers AS int[]), CAST(:ats AS timestamptz[]), CAST(:standings AS int[]),
                       CAST(:aheads AS int[]), CAST(:places AS int[]), CAST(:lates AS int[]))
             AS asked (number, at, standing, ahead, place, late))
{" UNION ALL ".join(_part(*part) for part in _PARTS)}
 ORDER BY number, part, sequence
"""  # noqa: S608 -- no name from outside
)

# scheduled -- Grants that were given by an instant to begin after it.
_SCHEDULED = (
    grants.c.effective_at > grants.c.created_at,  # the index has no others
    grants.c.state.not_in(("PENDING_APPROVAL", "REJECTED")),
)

# known_ends -- When each hold was to end, as it was known then: its first change after that says so.
_KNOWN_ENDS = text("""
SELECT DISTINCT ON (number) number, expires_at FROM hold_ends
 WHERE customer_id = :customer_id AND credit_type_id = :credit_type_id AND number = ANY(CAST(:numbers AS int[]))
   AND known_at > :known_at
 ORDER BY number, known_at
""")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose account, in which order its grants burn, and how it is to be known: None, as it is known now."""

    workspace_id: int
    customer_id: int
    credit_type_id: int
    burn_order: str
    known_at: datetime | None = None

    @property
    def place(self) -> dict[str, Any]:
        return {"customer_id": self.customer_id, "credit_type_id": self.credit_type_id}


async def travel(connection: AsyncConnection, asked: Asked, instants: Sequence[datetime]) -> list[Standing]:
    """What counted at each instant, as asked. `sequence` is that of the last entry known then.

    `remaining` is what the entries say: see `standing.lots_of` for what may be shown of it.
    """
    row = (await connection.execute(select(accounts).where(*_of(accounts, asked)))).mappings().one_or_none()
    if row is None:
        return [Standing() for _ in instants]
    places = await _last_recorded(connection, asked, row["sequence"], instants)
    known = row["sequence"] if asked.known_at is None else places[asked.known_at]
    then = [min(places[at], known) for at in instants]
    whole = await _replayed(connection, asked, list(zip(instants, then, strict=True)), places, known)
    await _fall_due(connection, asked, row, list(zip(instants, whole, strict=True)), known)
    for standing, _ in whole:
        standing.sequence = known
    return [standing for standing, _ in whole]


def _of(table: Any, asked: Asked) -> tuple[Any, ...]:
    return (table.c.customer_id == asked.customer_id, table.c.credit_type_id == asked.credit_type_id)


async def _last_recorded(
    connection: AsyncConnection, asked: Asked, head: int, instants: Sequence[datetime]
) -> dict[datetime, int]:
    """The last entry recorded by each instant, by those around it, and by the instant of knowing."""
    wanted = {around for at in instants for around in (at, _before(at), _after(at))}
    if asked.known_at is not None:
        wanted.add(asked.known_at)
    instants = sorted(wanted)
    rows = await connection.execute(_LAST_RECORDED, {**asked.place, "head": head, "instants": instants})
    # By number: the driver takes the last instant of the calendar for infinity, and gives that back in its place.
    found = {instants[row.number - 1]: row.low for row in rows}
    if len(found) < len(wanted):
        raise LookupError(f"entries of {asked.place} are missing")
    return found


def _before(at: datetime) -> datetime:
    return at - AHEAD if at - _FIRST > AHEAD else _FIRST


def _after(at: datetime) -> datetime:
    return at + LATE[0] if _LAST - at > LATE[0] else _LAST


async def _replayed(
    connection: AsyncConnection,
    asked: Asked,
    wanted: Sequence[tuple[datetime, int]],
    places: dict[datetime, int],
    known: int,
) -> list[tuple[Standing, Standing]]:
    """For each instant and its last entry: what counts at it, and the account as it stood at that entry."""
    sequences = sorted({place for _, place in wanted})
    nearest = {
        row.wanted: decode(row.sequence, row.state)
        for row in await connection.execute(_NEAREST_STANDINGS, {**asked.place, "form": FORM, "sequences": sequences})
    }
    standings = [nearest[place].copy() if place in nearest else Standing() for _, place in wanted]
    rows = await connection.execute(
        _COUNTED,
        {
            **asked.place,
            "known": known,
            "skew": bounds.FUTURE_SKEW,
            "lags": list(range(1, len(LATE) + 1)),
            "reaches": [*LATE[1:], None],
            "numbers": list(range(len(wanted))),
            "ats": [at for at, _ in wanted],
            "standings": [standing.sequence for standing in standings],
            "aheads": [places[_before(at)] for at, _ in wanted],
            "places": [place for _, place in wanted],
            "lates": [min(places[_after(at)], known) for at, _ in wanted],
        },
    )
    around: list[list[tuple[int, Effect]]] = [[] for _ in wanted]
    for row in rows.mappings():
        effect = effect_in(row)
        if row["part"] == _BEHIND:
            replay(standings[row["number"]], effect)
        else:
            around[row["number"]].append((-1 if row["part"] == _AHEAD else 1, effect))
    whole = []
    for standing, out_of_order in zip(standings, around, strict=True):
        counted = standing.copy()
        for sign, effect in out_of_order:
            weigh(counted, effect, sign)
        whole.append((counted, standing))
    return whole


def effect_in(row: Row) -> Effect:
    """An effect as EFFECTS reads it."""
    allocations = pairs(row["allocations"])
    if row["grant_number"] is not None:
        allocations = [(row["grant_number"], max(abs(row["amount"]), abs(row["held_amount"])))]
    return Effect(
        kind=Kind(row["kind"]),
        amount=row["amount"],
        held_amount=row["held_amount"],
        allocations=allocations,
        hold_number=row["hold_number"],
        feature_id=row["feature_id"],
        source=row["source"],
        count=row["count"],
        sequence=row["sequence"] or 0,
    )


# ─── what falls due ────────────────────────────────────────────────────────────────────────────────────
async def _fall_due(
    connection: AsyncConnection,
    asked: Asked,
    row: Row,
    whole: Sequence[tuple[datetime, tuple[Standing, Standing]]],
    known: int,
) -> None:
    """Adds what was known to fall due by each instant and is in no entry that counts: by the rules themselves.

    Before a later entry was recorded, whatever had fallen due was booked. So where one is known of, only what falls due
    after the instant of knowing is missing; else everything that the account has not booked yet.
    """
    until, (_, last) = max(whole, key=lambda each: each[0])
    if known == row["sequence"]:
        # A hold that was extended later may have been known to end before.
        if asked.known_at is None and (row["due_at"] is None or row["due_at"] > until):
            return
        account = await _present(connection, asked, row)
    elif asked.known_at is not None and until > asked.known_at:
        account = await _past(connection, asked, last, until)
    else:
        return
    await _as_known(connection, asked, account)
    account.due_at = until  # a lower bound
    advance(account, until)
    for at, (counted, _) in whole:
        for entry in account.entries:
            if entry.occurred_at <= at:
                weigh(counted, effect_of(entry, account.grants))


async def _present(connection: AsyncConnection, asked: Asked, row: Row) -> Account:
    """The account as it is stored, with whatever may fall due."""
    account = account_of(row, asked.burn_order)
    for found in (await connection.execute(select(grants).where(*_of(grants, asked), grants.c.open))).mappings():
        account.grants[found["number"]] = grant_of(found)
    for found in (
        await connection.execute(select(holds).where(*_of(holds, asked), holds.c.status == "OPEN"))
    ).mappings():
        account.holds[found["number"]] = hold_of(found)
    return account


async def _past(connection: AsyncConnection, asked: Asked, standing: Standing, until: datetime) -> Account:
    """The account as it stood, with the grants that were to begin by `until`."""
    account = Account(
        workspace_id=asked.workspace_id,
        customer_id=asked.customer_id,
        credit_type_id=asked.credit_type_id,
        burn_order=asked.burn_order,
        balance=standing.balance,
        held=standing.held,
        overdraft=standing.overdraft,
        granted=standing.granted,
        burned=standing.burned,
        expired=standing.expired,
        given_back=standing.given_back,
        voided=standing.voided_in_all,
        clawed_back=standing.clawed_back,
        adjusted=standing.adjusted,
        sequence=standing.sequence,
    )
    known_at = asked.known_at or until
    kept = standing.kept
    places = [(asked.customer_id, asked.credit_type_id, number) for number in {*standing.remaining, *kept}]
    for (_, _, number), grant in (await read_grants(connection, places)).items():
        grant.remaining, grant.held = standing.remaining.get(number, 0), kept.get(number, 0)
        ended = grant.expires_at is not None and grant.expires_at <= known_at
        grant.state = "VOIDED" if number in standing.voided else "EXPIRED" if ended else "ACTIVE"
        account.grants[number] = grant
    scheduled = select(grants).where(
        *_of(grants, asked), *_SCHEDULED, grants.c.effective_at > known_at, grants.c.effective_at <= until
    )
    for row in (await connection.execute(scheduled)).mappings():
        if row["number"] not in standing.voided:
            grant = grant_of(row)
            grant.state, grant.remaining, grant.held = "SCHEDULED", grant.amount, 0
            account.grants[grant.number] = grant
    places = [(asked.customer_id, asked.credit_type_id, number) for number in standing.holds]
    for (_, _, number), hold in (await read_holds(connection, places)).items():
        hold.parts, hold.status, hold.closed_at = standing.holds[number], "OPEN", None
        hold.remaining = sum(part for _, part in hold.parts)
        account.holds[number] = hold
    return account


async def _as_known(connection: AsyncConnection, asked: Asked, account: Account) -> None:
    """Forgets what became known later: grants that were given later, other ends of holds."""
    if asked.known_at is None:
        return
    for number, grant in list(account.grants.items()):
        if grant.state == "SCHEDULED" and grant.created_at > asked.known_at:
            del account.grants[number]
    if account.holds:
        values = {**asked.place, "numbers": list(account.holds), "known_at": asked.known_at}
        for row in await connection.execute(_KNOWN_ENDS, values):
            account.holds[row.number].expires_at = row.expires_at
