"""What the demo's page shows just now: which world, and whether its team works."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from credits.errors import Refusal
from credits.posting.clock import advance_clock
from server.demo_seed import Demo, give_grants, seed

WATCHED_S = 60.0  # a page asks for what is new with every change, and at least once in that time


class Stage:
    """One per process. The demo on it changes when somebody starts over."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.team_rests = False
        self._last_s = float("-inf")
        self._changing = asyncio.Lock()

    def note(self) -> None:
        """Somebody has the page open."""
        self._last_s = time.monotonic()

    @property
    def is_watched(self) -> bool:
        return time.monotonic() - self._last_s < WATCHED_S

    async def start_over(self, expected: str) -> None:
        """Puts on a new world in place of the one of that name; nothing where it has been replaced meanwhile."""
        async with self._changing:
            if self.demo.workspace_name == expected:
                self.demo = await seed(self.demo.services, another=True)
                self.team_rests = False

    async def move_clock(self, stops: Sequence[datetime]) -> None:
        """On to each of these instants, where the plan's credits are given."""
        async with self._changing:
            services, workspace_id = self.demo.services, self.demo.workspace_id
            for to in stops:
                moved = await advance_clock(
                    services.reader, services.writer, workspace_id, to, actor_id=self.demo.actor_id
                )
                if isinstance(moved, Refusal):
                    raise TypeError(f"the demo's clock cannot be moved: {moved}")
                await give_grants(self.demo)
