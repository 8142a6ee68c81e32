"""Opening, working on and withdrawing a dispute: ordinary database transactions under the customer's lock.

A resolution moves credits, so it goes through the one way in: see `resolve.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, ids
from credits.access.actors import actors, ensure_actor
from credits.amount import plain_micro
from credits.audit.log import changes as differences
from credits.audit.log import record
from credits.customers.customers import customers, lock_customer, valid_text
from credits.disputes.disputes import UNDECIDED, Dispute, Place, decided, text_form
from credits.disputes.reads import read_disputes
from credits.disputes.tables import dispute_entries, dispute_events, disputes
from credits.disputes.telling import Told, told_of
from credits.errors import Conflict, InvalidInput, NotFound, Refusal
from credits.ledger.entries import REVERSIBLE, Entry
from credits.ledger.reads import read_entries, read_reversed_amounts
from credits.posting.commands import note_form
from credits.posting.corrections import EntryId
from credits.posting.reader import Page
from credits.webhooks.outbox import tell
from credits.workspaces import workspaces

_NO_ENTRY = NotFound("no such entry")
_NO_DISPUTE = NotFound("no such dispute")


async def open_dispute(
    page: Page, entries: Sequence[EntryId], reason: str, *, actor_id: int | None, sla: timedelta
) -> Dispute | Refusal:
    """Contests burns and settlements of one customer, in one credit type. `sla` is the setting, for a workspace without
    its own. Refused where an entry is in an open dispute, or nothing is left of it to give back."""
    problem = text_form(reason, "reason") or _entries_form(entries)
    if problem:
        return problem
    connection, now = page.connection, page.workspace.now
    places = sorted({entry.place for entry in entries})
    customer_id, credit_type_id, _ = places[0]
    if await lock_customer(connection, customer_id) is None:
        return _NO_ENTRY
    found = await read_entries(connection, places)
    if len(found) < len(places):
        return _NO_ENTRY
    contested = await _contested(connection, found)
    if isinstance(contested, Refusal):
        return contested
    own_sla = await connection.scalar(select(workspaces.c.dispute_sla_s))
    number = 1 + (
        await connection.scalar(select(func.max(disputes.c.number)).where(disputes.c.customer_id == customer_id)) or 0
    )
    place = {"customer_id": customer_id, "workspace_id": page.workspace.id, "number": number}
    values = {"credit_type_id": credit_type_id, "sequences": [sequence for *_, sequence in places], "reason": reason}
    values |= {"amount": contested, "opened_at": now, "changed_at": now, "status": "OPEN", "version": 1}
    values |= {"due_at": now + (sla if own_sla is None else timedelta(seconds=own_sla)), "opened_by": actor_id}
    await connection.execute(insert(disputes).values(**place, **values, given_back=0))
    rows = [{**place, "credit_type_id": credit_type_id, "sequence": each[2], "open": True} for each in places]
    await connection.execute(insert(dispute_entries), rows)
    await _add_event(connection, place, now, "opened", actor_id=actor_id)
    opened = await _read(connection, (customer_id, number))
    after = {
        "status": opened.status,
        "amount": plain_micro(opened.amount_micro),
        "entries": [ids.make("ent", *each) for each in opened.entries],
    }
    await record(connection, actor_id, "dispute.opened", opened.id, before=None, after=after)
    await _tell(page, "dispute.opened", opened, after | {"dueAt": opened.due_at})
    return opened


async def update_dispute(
    page: Page, place: Place, changes: Mapping[str, Any], *, actor_id: int | None
) -> Dispute | Refusal:
    """`changes`: status (OPEN or INVESTIGATING), assignee (an operator's id; None: nobody), note. What is left out stays.

    Refused once the dispute is decided.
    """
    problem = _changes_form(changes)
    if problem:
        return problem
    dispute = await _locked(page.connection, place)
    if dispute is None:
        return _NO_DISPUTE
    if dispute.status not in UNDECIDED:
        return decided(dispute.status)
    connection, now = page.connection, page.workspace.now
    at = {"customer_id": place[0], "workspace_id": page.workspace.id, "number": place[1]}
    values: dict[str, Any] = {}
    if "assignee" in changes:
        values["assignee"] = await _assignee(connection, page.workspace.id, changes["assignee"])
        action = "unassigned" if changes["assignee"] is None else "assigned"
        await _add_event(connection, at, now, action, actor_id=actor_id, note=changes["assignee"])
    if changes.get("status") not in (None, dispute.status):
        values["status"] = changes["status"]
        action = "investigating" if changes["status"] == "INVESTIGATING" else "reopened"
        await _add_event(connection, at, now, action, actor_id=actor_id)
    if changes.get("note") is not None:
        await _add_event(connection, at, now, "note", actor_id=actor_id, note=changes["note"])
    await _set(connection, dispute, now, values)
    updated = await _read(connection, place)
    before: dict[str, Any] = {"status": dispute.status}
    after: dict[str, Any] = {"status": updated.status}
    if "assignee" in changes:
        before["assignee"], after["assignee"] = await _subject(connection, dispute.assignee), changes["assignee"]
    before, after = differences(before, after)
    if changes.get("note") is not None:
        after["noted"] = True  # what it says stands in the dispute
    if after:
        await record(connection, actor_id, "dispute.updated", updated.id, before=before, after=after)
    return updated


async def withdraw_dispute(page: Page, place: Place, *, actor_id: int | None) -> Dispute | Refusal:
    """Ends a dispute without a decision. Once more changes nothing; one that is decided stays so."""
    dispute = await _locked(page.connection, place)
    if dispute is None:
        return _NO_DISPUTE
    if dispute.status == "WITHDRAWN":
        return dispute
    if dispute.status not in UNDECIDED:
        return decided(dispute.status)
    connection, now = page.connection, page.workspace.now
    await _set(connection, dispute, now, {"status": "WITHDRAWN", "resolved_at": now})
    await connection.execute(
        update(dispute_entries)
        .values(open=False)
        .where(dispute_entries.c.customer_id == place[0], dispute_entries.c.number == place[1])
    )
    at = {"customer_id": place[0], "workspace_id": page.workspace.id, "number": place[1]}
    await _add_event(connection, at, now, "withdrawn", actor_id=actor_id)
    before, after = {"status": dispute.status}, {"status": "WITHDRAWN"}
    await record(connection, actor_id, "dispute.withdrawn", dispute.id, before=before, after=after)
    withdrawn = await _read(connection, place)
    await _tell(page, "dispute.resolved", withdrawn, after | {"givenBack": "0", "entries": []})
    return withdrawn


def _entries_form(entries: Sequence[EntryId]) -> InvalidInput | None:
    if not 0 < len(entries) <= bounds.DISPUTE_ENTRIES_MAX:
        return InvalidInput(f"name 1 to {bounds.DISPUTE_ENTRIES_MAX}", field="entries")
    if len({entry.customer_id for entry in entries}) > 1:
        return InvalidInput("must be of one customer", field="entries")
    if len({entry.credit_type_id for entry in entries}) > 1:
        return InvalidInput("must be of one credit type: their amounts are added up", field="entries")
    return None


def _changes_form(changes: Mapping[str, Any]) -> InvalidInput | None:
    if not changes:
        return InvalidInput("give a status, an assignee or a note", field="status")
    if changes.get("status") not in (None, *UNDECIDED):
        return InvalidInput("is decided by resolveDispute or withdrawDispute", field="status")
    assignee = changes.get("assignee")
    if assignee is not None and not valid_text(assignee, bounds.NAME_MAX):
        return InvalidInput(f"must be 1 to {bounds.NAME_MAX} visible characters", field="assignee")
    return note_form(changes.get("note"))


async def _contested(
    connection: AsyncConnection, entries: Mapping[tuple[int, int, int], Entry]
) -> int | InvalidInput | Conflict:
    """What is left of the entries together; why they cannot be contested."""
    place = (dispute_entries.c.customer_id, dispute_entries.c.credit_type_id)
    (customer_id, credit_type_id, _) = next(iter(entries))
    taken = await connection.execute(
        select(dispute_entries.c.sequence, dispute_entries.c.number).where(
            place[0] == customer_id,
            place[1] == credit_type_id,
            dispute_entries.c.sequence.in_([sequence for *_, sequence in entries]),
            dispute_entries.c.open,
        )
    )
    in_dispute = {row.sequence: row.number for row in taken}
    given_back = await read_reversed_amounts(connection, list(entries))
    contested = 0
    for at, entry in entries.items():
        name = ids.make("ent", *at)
        if entry.kind not in REVERSIBLE:
            return InvalidInput(
                f"{name} is of kind {entry.kind.name}: burns and settlements can be contested", "entries"
            )
        if at[2] in in_dispute:
            return Conflict(f"{name} is contested already, in {ids.make('dsp', customer_id, in_dispute[at[2]])}")
        left = -entry.amount - given_back.get(at, 0)
        if left == 0:
            return Conflict(f"nothing is left of {name} to give back")
        contested += left
    return contested


async def _locked(connection: AsyncConnection, place: Place) -> Dispute | None:
    """The dispute, under its customer's lock."""
    if await lock_customer(connection, place[0]) is None:
        return None
    return (await read_disputes(connection, [place])).get(place)


async def _read(connection: AsyncConnection, place: Place) -> Dispute:
    return (await read_disputes(connection, [place]))[place]


async def _set(connection: AsyncConnection, dispute: Dispute, now: datetime, values: Mapping[str, Any]) -> None:
    await connection.execute(
        update(disputes)
        .values(**values, changed_at=now, version=dispute.version + 1)
        .where(disputes.c.customer_id == dispute.customer_id, disputes.c.number == dispute.number)
    )


async def _assignee(connection: AsyncConnection, workspace_id: int, subject: str | None) -> int | None:
    """The actor of an operator's id, made when new: operators are the host's to name."""
    return None if subject is None else await ensure_actor(connection, workspace_id, "OPERATOR", subject, subject)


async def _subject(connection: AsyncConnection, actor_id: int | None) -> str | None:
    """An operator's id, as the host names it."""
    return (
        None if actor_id is None else await connection.scalar(select(actors.c.subject).where(actors.c.id == actor_id))
    )


async def _tell(page: Page, type_: str, dispute: Dispute, what: Mapping[str, Any]) -> None:
    """To whoever wants to know, in the database transaction of the change."""
    key = await page.connection.scalar(select(customers.c.key).where(customers.c.id == dispute.customer_id))
    credit_type = page.catalog.credit_type(dispute.credit_type_id)
    name = "" if credit_type is None else credit_type.key
    which = Told(page.workspace.id, key or "", name, *dispute.place, dispute.version)
    await tell(page.connection, [told_of(type_, dispute.changed_at, which, what)])


async def _add_event(
    connection: AsyncConnection,
    place: Mapping[str, Any],
    at: datetime,
    action: str,
    *,
    actor_id: int | None,
    note: str | None = None,
) -> None:
    of = (dispute_events.c.customer_id == place["customer_id"], dispute_events.c.number == place["number"])
    last = await connection.scalar(select(func.max(dispute_events.c.position)).where(*of)) or 0
    values = {**place, "position": last + 1, "at": at, "actor_id": actor_id, "action": action, "note": note}
    await connection.execute(insert(dispute_events).values(**values))
