"""The demo's traffic: usage of other people, as events through the way that `/v1/events` takes.

The shown studio's team works while somebody looks at the page, and stops before the credits run out: events always
burn, also into overdraft, and nobody wants to find the demo in debt in the morning. The other studios always work.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from credits.amount import MICRO
from credits.errors import Unavailable
from credits.posting.reader import Page
from credits.usage.ingest import ingest, read_events
from server.demo_seed import Demo, give_grants
from server.demo_world import (
    CREDIT_TYPE,
    INKS,
    MEGAPIXELS,
    OTHERS,
    PRINT_EVENT,
    PROOF_EVENT,
    SCENES,
    SOURCE,
    STUDIO,
    TEAM,
)

logger = logging.getLogger(__name__)

TEAM_EVERY_S = (2.0, 5.0)  # between two things that the team does: often enough to be seen, not to be a nuisance
OTHERS_EVERY_S = (0.5, 2.5)
TEAM_LEAVES = 60 * MICRO  # the last credits are for who looks at the page
LOOKING_S = 60.0  # a page asks for what is new with every change, and at least once in that time
GRANTS_EVERY_S = 900.0
_SEED = 1989
_HISTORY = 24
_PROOF_SHARE = 0.62


class Looking:
    """Whether somebody has the page open."""

    def __init__(self) -> None:
        self._last_s = float("-inf")

    def note(self) -> None:
        self._last_s = time.monotonic()

    def __bool__(self) -> bool:
        return time.monotonic() - self._last_s < LOOKING_S


@asynccontextmanager
async def traffic(demo: Demo, looking: Looking) -> AsyncIterator[None]:
    """People work for as long as the context lasts."""
    await _send(demo, _history())
    # A start of its own in every id: who starts again does not repeat what was sent.
    run = secrets.token_hex(4)
    loops = [_team(demo, looking, run), _others(demo, run), _months(demo)]
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def usage_event(chance: random.Random, event_id: str, subject: str, member: str | None = None) -> dict[str, Any]:
    """One thing that somebody did, as a CloudEvent: mostly a colour proof, else a print."""
    data: dict[str, Any] = {} if member is None else {"member": member}
    is_proof = chance.random() < _PROOF_SHARE
    if not is_proof:
        data["megapixels"] = chance.choices(list(MEGAPIXELS.values()), weights=[3, 1])[0]
        data["inks"] = chance.choice(INKS)
        data["scene"] = chance.choice(SCENES)
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": PROOF_EVENT if is_proof else PRINT_EVENT,
        "subject": subject,
        "data": data,
    }


def _history() -> list[dict[str, Any]]:
    """What the team did before: the same events at every start, so that they count once."""
    chance = random.Random(_SEED)  # noqa: S311 -- a demo's dice
    return [
        usage_event(chance, f"history-{number}", STUDIO.key, chance.choice(list(TEAM))) for number in range(_HISTORY)
    ]


async def _team(demo: Demo, looking: Looking, run: str) -> None:
    chance = random.Random(_SEED + 1)  # noqa: S311 -- a demo's dice
    number = 0
    while True:
        await asyncio.sleep(chance.uniform(*TEAM_EVERY_S))
        if not looking:
            continue
        with _patience():
            if await _available(demo) > TEAM_LEAVES:
                number += 1
                event = usage_event(chance, f"{run}-team-{number}", STUDIO.key, chance.choice(list(TEAM)))
                await _send(demo, [event])


async def _others(demo: Demo, run: str) -> None:
    chance = random.Random(_SEED + 2)  # noqa: S311 -- a demo's dice
    number = 0
    while True:
        await asyncio.sleep(chance.uniform(*OTHERS_EVERY_S))
        number += 1
        with _patience():
            await _send(demo, [usage_event(chance, f"{run}-{number}", chance.choice(OTHERS).key)])


async def _months(demo: Demo) -> None:
    """The plan's credits of a new month, for a demo that runs into one."""
    while True:
        await asyncio.sleep(GRANTS_EVERY_S)
        with _patience():
            await give_grants(demo)


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Nothing that fails once ends the traffic: a store that is away comes back."""
    try:
        yield
    except Unavailable as error:
        logger.warning("the demo's traffic waits for the store: %s", error)
    except Exception:
        logger.exception("the demo's traffic failed once; it goes on")


async def _send(demo: Demo, events: list[dict[str, Any]]) -> None:
    taken = await ingest(demo.services.writer, demo.workspace_id, await read_events(events))
    for rejected in taken.rejected:
        logger.error("an event of the demo was rejected: %s", rejected)


async def _available(demo: Demo) -> int:
    """The studio's available micro-credits."""
    async with demo.services.reader.page(demo.workspace_id) as page:
        return await available(page, demo)


async def available(page: Page, demo: Demo) -> int:
    """The same, on a page that is open."""
    credit_type = page.catalog.credit_type_by_key(CREDIT_TYPE)
    account = (
        None if credit_type is None else (await page.accounts(demo.customer)).get((demo.customer.id, credit_type.id))
    )
    return 0 if account is None else account.available
