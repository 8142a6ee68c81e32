"""What a batch reads of the past: where a command speaks of a time before an account's present phase.

Most batches read nothing here. Late usage needs the phases since its time and the grants that they speak of; a grant
that begins in the past needs besides what had burned at each instant at which it may cut a phase.
"""

from collections.abc import Sequence
from datetime import datetime

from credits import bounds
from credits.db import HotConnection
from credits.ledger.account import Account, Grant
from credits.ledger.rows import phase_of
from credits.posting import statements
from credits.posting.book import Book, Burned
from credits.posting.commands import Advance, Burn, Command, GiveGrant, TakeEvent
from credits.posting.locking import Whose, whose

_Place = tuple[int, int]


async def read_past(
    connection: HotConnection, book: Book, events: Sequence[TakeEvent], commands: Sequence[Command]
) -> None:
    """Loads the phases that events and other commands reach back to, and the grants and sums that laying them again
    needs."""
    since = _since(book, events, commands)
    if not since:
        return
    for place in since:
        book.account(place[0], book.credit_type(place[1]))  # the clock first: it may end more phases
    rows = await connection.fetch(
        statements.READ_PHASES, [c for c, _ in since], [t for _, t in since], list(since.values())
    )
    new = {place: book.accounts[place].phases for place in since}
    for place in since:
        book.accounts[place].phases = []
    for row in rows:
        book.accounts[row["customer_id"], row["credit_type_id"]].phases.append(phase_of(row))
    for place, phases in new.items():
        book.accounts[place].phases += phases
    await _read_named_grants(connection, [book.accounts[place] for place in since])
    begins = _begins(book, commands)
    for place in begins:
        if place in since:
            book.burned[place] = await _read_burned(connection, book.accounts[place], begins[place], book.now)


def _since(book: Book, events: Sequence[TakeEvent], commands: Sequence[Command]) -> dict[_Place, datetime]:
    """The earliest instant that a command speaks of, for each account whose present phase began after it."""
    accounts = book.accounts.values()
    if not commands and not any(
        account.phased_at or (account.due_at and account.due_at <= book.now) for account in accounts
    ):
        return {}  # events alone, and no phase has ended that they could reach back to
    earliest: dict[Whose, datetime] = {}
    for event in events:
        if event.time is not None and event.problem is None:
            known = earliest.get(event.subject)
            if known is None or event.time < known:
                earliest[event.subject] = event.time
    for command in commands:
        if (at := _instant(command)) is not None:
            name = whose(command)
            earliest[name] = min(at, earliest.get(name, at))
    reach: dict[int, datetime] = {}
    for name, at in earliest.items():
        if (customer := book.customer(name)) is not None:
            reach[customer.id] = min(at, reach.get(customer.id, at))
    begins = _begins(book, commands)
    # What they do first may end the present phase, and what it drew on may be used up since.
    ends_phases = any(not isinstance(command, (Burn, Advance)) for command in commands)
    found = {}
    for place, account in book.accounts.items():
        at = reach.get(place[0])
        due = account.due_at is not None and account.due_at <= book.now
        if at is None or (account.phased_at is None and not due and not account.drawn):
            continue
        late = account.phased_at is not None and at < account.phased_at
        if late or due or (account.drawn and (place in begins or (ends_phases and at < book.now))):
            found[place] = at
    return found


def _instant(command: Command) -> datetime | None:
    match command:
        case Burn():
            return command.occurred_at
        case GiveGrant():
            return command.effective_at
    return None


def _begins(book: Book, commands: Sequence[Command]) -> dict[_Place, list[datetime]]:
    """Where grants are to begin before now, by account."""
    begins: dict[_Place, list[datetime]] = {}
    for command in commands:
        if not isinstance(command, GiveGrant) or command.effective_at is None or command.effective_at >= book.now:
            continue
        credit_type = book.catalog.credit_type_by_key(command.credit_type)
        customer = book.customer(command.customer)
        if credit_type is not None and customer is not None:
            begins.setdefault((customer.id, credit_type.id), []).append(command.effective_at)
    return begins


async def _read_named_grants(connection: HotConnection, accounts: list[Account]) -> None:
    named = [
        (account.customer_id, account.credit_type_id, number)
        for account in accounts
        for number in set(account.drawn).union(*(phase.grants for phase in account.phases)) - {0}
        if number not in account.grants
    ]
    if not named:
        return
    found = {(account.customer_id, account.credit_type_id): account for account in accounts}
    columns = [[place[n] for place in named] for n in range(3)]
    for customer_id, credit_type_id, *values in await connection.fetch(statements.READ_NAMED_GRANTS, *columns):
        grant = Grant(*values)
        found[customer_id, credit_type_id].grants[grant.number] = grant


async def _read_burned(connection: HotConnection, account: Account, begins: list[datetime], now: datetime) -> Burned:
    """What had burned between any two instants that a grant which begins at one of `begins` may ask about."""
    instants = {*begins, *(phase.until for phase in account.phases)}
    instants |= {grant.expires_at for grant in account.grants.values() if grant.expires_at and grant.expires_at <= now}
    cuts = sorted(instants)
    whole = account.phases and account.phases[0].until <= min(begins)
    # An event may come up to five minutes before its time; what came before that did not happen after it.
    since = cuts[0] - bounds.FUTURE_SKEW if whole else datetime.min.replace(tzinfo=now.tzinfo)
    rows = await connection.fetch(
        statements.READ_BURNED_BETWEEN, account.customer_id, account.credit_type_id, cuts, since
    )
    return Burned(cuts, {row["bucket"]: row["burned"] for row in rows})
