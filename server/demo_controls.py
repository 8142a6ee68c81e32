"""The demo's own buttons, apart from what its product does: little credit, a month later, a team that rests, all anew."""

import calendar
from datetime import datetime, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from credits.amount import from_micro, plain_micro, to_micro
from credits.errors import IdempotencyConflict, InsufficientCredits
from credits.posting.commands import Burn, GiveGrant, Spend
from credits.posting.outcomes import Burned, Granted
from server.demo_requests import answer_json, read_body, read_key
from server.demo_stage import Stage
from server.demo_traffic import available
from server.demo_world import CREDIT_TYPE, LEVELS, STUDIO, YOU

_ATTEMPTS = 3
_GIFT_LASTS = timedelta(days=3)
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
        """Burns down to the level, or grants up to it."""
        body = await read_body(request)
        key, wanted = read_key(body), LEVELS.get(str(body.get("level")))
        if wanted is None:
            raise HTTPException(400, f"level is one of {', '.join(LEVELS)}")
        demo = self._stage.demo
        for _ in range(_ATTEMPTS):  # the team may burn between our look and our burn
            command = await self._towards(to_micro(wanted), key)
            if command is None:
                return answer_json({})
            match await demo.services.writer.post(demo.workspace_id, command):
                case Burned(entry=entry):
                    return answer_json({"burned": plain_micro(-entry.amount)})
                case Granted(grant=grant):
                    return answer_json({"granted": plain_micro(grant.amount)})
                case IdempotencyConflict():  # it happened, and the answer was lost
                    return answer_json({})
                case InsufficientCredits():
                    continue
            break
        raise HTTPException(409, "the level could not be reached")

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

    async def _towards(self, level_micro: int, key: str) -> Burn | GiveGrant | None:
        """What brings the balance to the level; None where it is there."""
        demo = self._stage.demo
        async with demo.services.reader.page(demo.workspace_id) as page:
            left_micro = await available(page, demo)
            now = page.workspace.now
        amount = from_micro(abs(level_micro - left_micro))
        if left_micro > level_micro:
            spend = Spend(credit_type=CREDIT_TYPE, amount=amount, member=YOU)
            return Burn(STUDIO.key, spend, key, demo.actor_id, note=_NOTE)
        if left_micro < level_micro:
            ends = now.replace(hour=0, minute=0, second=0, microsecond=0) + _GIFT_LASTS
            return GiveGrant(
                STUDIO.key, CREDIT_TYPE, amount, "PROMOTION", key, demo.actor_id, note=_NOTE, expires_at=ends
            )
        return None


def a_month_on(now: datetime) -> tuple[datetime, datetime]:
    """The first of the next month, and this day and time in it; its last day where it has no such day."""
    first = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    day = min(now.day, calendar.monthrange(first.year, first.month)[1])
    return first, now.replace(year=first.year, month=first.month, day=day)
