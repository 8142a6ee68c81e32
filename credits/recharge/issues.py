"""What of payments does not fit together, and was seen to by an operator."""

from sqlalchemy import update

from credits import bounds, ids
from credits.audit.log import record
from credits.errors import InvalidInput, NotFound
from credits.posting.commands import note_form
from credits.posting.reader import Page
from credits.recharge.reads import KeptIssue, read_issue
from credits.recharge.tables import payment_issues


async def resolve(page: Page, number: int, note: str, *, actor_id: int | None) -> KeptIssue | InvalidInput | NotFound:
    """Says that somebody has seen to it, and how. What is resolved stays as it was."""
    if not note.strip():
        return InvalidInput("is missing", field="note")
    if note_form(note):
        return InvalidInput(f"must be at most {bounds.NOTE_MAX} characters, without NUL", field="note")
    connection = page.connection
    issue = await read_issue(connection, number)
    if issue is None:
        return NotFound("no such payment issue")
    if issue.resolved_at is not None:
        return issue
    changing = update(payment_issues).where(payment_issues.c.id == number, payment_issues.c.resolved_at.is_(None))
    values = {"resolved_at": page.workspace.now, "resolved_by": actor_id, "note": note}
    changed = await connection.execute(changing.values(**values))
    if changed.rowcount:
        after = {"resolvedAt": page.workspace.now, "noted": True}  # what it says stands in the issue
        await record(connection, actor_id, "paymentIssue.resolved", ids.make("iss", number), before=None, after=after)
    return await read_issue(connection, number) or issue
