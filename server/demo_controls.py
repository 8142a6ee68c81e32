"""The demo's own buttons, apart from what its product does: little credit, a month later, a team that rests, all anew."""

import calendar
from datetime import datetime, timedelta
from decimal import Decimal

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from credits.amount import plain
from credits.posting.commands import GiveGrant
from credits.posting.corrections import GrantId, VoidGrant
from credits.posting.outcomes import Granted
from server.demo_requests import answer_json, read_body, read_key
from server.demo_stage import Stage
from server.demo_traffic import account_of
from server.demo_world import CREDIT_TYPE, LEVELS, STUDIO

_GIFT_LASTS = timedelta(days=30)
_NOTE = "the demo's button"


class Controls:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def routes(self) -> list[Route]:
        return [
            Route("/demo/stage", self.told, methods=["GET"]),
            Route("/demo/level", self.level, methods=["POST"]),
            Route("/demo/clock", self.clock, methods=["POST"]),
            Route("/demo/team", self.team, methods=["POST"]),
            Route("/demo/reset", self.reset, methods=["POST"]),
        ]

    async def told(self, _: Request) -> Response:
        """Which world is on the stage, what its clock says, and whether the team rests."""
        return await self._told()

    async def level(self, request: Request) -> Response:
        """Leaves so many credits: grants them, and ends every other grant. None of it is usage, which goes on as it was."""
        body = await read_body(request)
        key, wanted = read_key(body), LEVELS.get(str(body.get("level")))
        if wanted is None:
            raise HTTPException(400, f"level is one of {', '.join(LEVELS)}")
        demo = self._stage.demo
        async with demo.services.reader.page(demo.workspace_id) as page:
            account = await account_of(page, demo)
            now = page.workspace.now
        if account is None:
            raise HTTPException(409, "the studio has no account")
        live = list(account.burnable())
        if wanted > 0:
            given = await demo.services.writer.post(demo.workspace_id, self._gift(wanted, key, now))
            if not isinstance(given, Granted):
                raise HTTPException(409, "the level could not be reached")
            if given.replayed:  # it happened, and the answer was lost
                return answer_json({})
        ending = [
            VoidGrant(
                grant=GrantId(account.customer_id, account.credit_type_id, grant.number),
                reason="OTHER",
                note=_NOTE,
                key=f"{key}-{grant.number}",
                actor_id=demo.actor_id,
            )
            for grant in live
        ]
        await demo.services.writer.post_many(demo.workspace_id, ending)
        return answer_json({"left": plain(wanted)})

    async def clock(self, request: Request) -> Response:
        """A month on, by way of the first of the next one: there the plan's credits are given."""
        await read_body(request)
        demo = self._stage.demo
        async with demo.services.reader.page(demo.workspace_id) as page:
            now = page.workspace.now
        await self._stage.move_clock(a_month_on(now))
        return await self._told()

    async def team(self, request: Request) -> Response:
        body = await read_body(request)
        self._stage.team_rests = body.get("rests") is True
        return await self._told()

    async def reset(self, request: Request) -> Response:
        """A new world, as on the first day; the old one stays in its workspace."""
        body = await read_body(request)
        await self._stage.start_over(str(body.get("workspace")))
        return await self._told()

    async def _told(self) -> Response:
        demo = self._stage.demo
        async with demo.services.reader.page(demo.workspace_id) as page:
            now = page.workspace.now
        told = {"workspace": demo.workspace_name, "now": now.isoformat(), "teamRests": self._stage.team_rests}
        return answer_json(told)

    def _gift(self, amount: Decimal, key: str, now: datetime) -> GiveGrant:
        ends = now.replace(hour=0, minute=0, second=0, microsecond=0) + _GIFT_LASTS
        actor_id = self._stage.demo.actor_id
        return GiveGrant(STUDIO.key, CREDIT_TYPE, amount, "PROMOTION", key, actor_id, note=_NOTE, expires_at=ends)


def a_month_on(now: datetime) -> tuple[datetime, datetime]:
    """The first of the next month, and this day and time in it; its last day where it has no such day."""
    first = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    day = min(now.day, calendar.monthrange(first.year, first.month)[1])
    return first, now.replace(year=first.year, month=first.month, day=day)
