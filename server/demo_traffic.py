"""The demo's traffic: usage of other people, as events through the way that `/v1/events` takes.

The shown studio's team works while somebody looks at the page: now and then, mostly on small things, and it stops long before
the credits run out. Events always burn, also into overdraft, and the last credits are for whoever looks at the page. The
other studios always work.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from credits.amount import MICRO
from credits.errors import Unavailable
from credits.ledger.account import Account
from credits.posting.reader import Page
from credits.usage.ingest import ingest, read_events
from server.demo_history import usage_event
from server.demo_seed import Demo, give_grants
from server.demo_stage import Stage
from server.demo_world import CREDIT_TYPE, ENLARGEMENTS, IDEAS, OTHERS, PROOFS, STUDIO, TEAM

logger = logging.getLogger(__name__)

TEAM_EVERY_S = (6.0, 13.0)  # between two things that the team does: often enough to be seen, not to be a nuisance
OTHERS_EVERY_S = (0.5, 2.5)
TEAM_LEAVES = 150 * MICRO
GRANTS_EVERY_S = 900.0
_SEED = 1990
_TEAM_DOES = {PROOFS: 55, IDEAS: 25, "postcards": 15, "posters": 5}
_OTHERS_DO = {PROOFS: 50, IDEAS: 20, "postcards": 15, "posters": 12, ENLARGEMENTS: 3}


@asynccontextmanager
async def traffic(stage: Stage) -> AsyncIterator[None]:
    """People work for as long as the context lasts."""
    # A start of its own in every id: who starts again does not repeat what was sent.
    run = secrets.token_hex(4)
    loops = [_team(stage, run), _others(stage, run), _months(stage)]
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _pick(chance: random.Random, work: dict[str, int]) -> str:
    return chance.choices(list(work), weights=list(work.values()))[0]


async def _team(stage: Stage, run: str) -> None:
    chance = random.Random(_SEED)  # noqa: S311 -- a demo's dice
    number = 0
    while True:
        await asyncio.sleep(chance.uniform(*TEAM_EVERY_S))
        if stage.team_rests or not stage.is_watched:
            continue
        with _patience():
            demo = stage.demo
            if await _available(demo) > TEAM_LEAVES:
                number += 1
                member = chance.choice(list(TEAM))
                event = usage_event(chance, f"{run}-team-{number}", STUDIO.key, _pick(chance, _TEAM_DOES), member)
                await _send(demo, [event])


async def _others(stage: Stage, run: str) -> None:
    chance = random.Random(_SEED + 1)  # noqa: S311 -- a demo's dice
    number = 0
    while True:
        await asyncio.sleep(chance.uniform(*OTHERS_EVERY_S))
        number += 1
        with _patience():
            subject = chance.choice(OTHERS).key
            await _send(stage.demo, [usage_event(chance, f"{run}-{number}", subject, _pick(chance, _OTHERS_DO), None)])


async def _months(stage: Stage) -> None:
    """The plan's credits of a new month, for a demo that runs into one."""
    while True:
        await asyncio.sleep(GRANTS_EVERY_S)
        with _patience():
            await give_grants(stage.demo)


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
        account = await account_of(page, demo)
    return 0 if account is None else account.available


async def account_of(page: Page, demo: Demo) -> Account | None:
    """The studio's account, on a page that is open."""
    credit_type = page.catalog.credit_type_by_key(CREDIT_TYPE)
    if credit_type is None:
        return None
    return (await page.accounts(demo.customer)).get((demo.customer.id, credit_type.id))
