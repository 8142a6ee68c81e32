"""One buyer in the demo's product, and what the database has of what was bought."""

from dataclasses import dataclass

from playwright.async_api import BrowserContext, Locator, Page, expect
from sqlalchemy import func, select

from credits.db import Database
from credits.ledger.tables import grants
from credits.recharge.tables import top_ups
from e2e.overprint import SHOWN_S, Demo, Visit, credits_are
from tests.harness.client import Client

SOON_MS = SHOWN_S * 1000
SKETCHBOOK = "Sketchbook: 200 credits for $12.00"


@dataclass
class Books:
    """What the database has of the studio's purchases."""

    database: Database
    workspace_id: int
    before: tuple[int, int] = (0, 0)

    async def count(self) -> tuple[int, int]:
        async with self.database.view(self.workspace_id) as connection:
            started = await connection.scalar(select(func.count()).select_from(top_ups))
            bought = select(func.count()).select_from(grants).where(grants.c.source.in_(("PURCHASE", "RECHARGE")))
            return int(started or 0), int(await connection.scalar(bought) or 0)

    async def since(self) -> tuple[int, int]:
        """Top-ups and grants of them since the test began."""
        started, granted = await self.count()
        return started - self.before[0], granted - self.before[1]


@dataclass
class Shop:
    """One buyer in a browser."""

    demo: Demo
    context: BrowserContext
    visit: Visit
    ledger: Client
    books: Books

    @property
    def page(self) -> Page:
        return self.visit.page

    @property
    def top_up(self) -> Locator:
        return self.page.locator("#top-up")

    @property
    def status(self) -> Locator:
        return self.top_up.locator("[part=status]")

    @property
    def payment_pages(self) -> list[Page]:
        return [page for page in self.context.pages if "/sandbox/" in page.url]

    async def billing(self) -> None:
        await self.page.goto(f"{self.demo.url}/demo/billing")
        await self.top_up.get_by_role("button", name=SKETCHBOOK).wait_for()

    async def leave(self, level: str) -> None:
        """So many credits, and nothing else that would change them."""
        await self.visit.post("level", level=level)
        await credits_are(self.visit, {"low": "20", "out": "0"}[level])

    async def start(self, within: Locator | None = None) -> Page:
        """Presses the button, and is on the payment page."""
        async with self.context.expect_page() as opened:
            await (within or self.top_up).get_by_role("button", name=SKETCHBOOK).click()
        paying = await opened.value
        await paying.get_by_role("button", name="Pay", exact=True).wait_for(timeout=SOON_MS)
        return paying

    async def says(self, text: str) -> None:
        await expect(self.status).to_contain_text(text, timeout=SOON_MS)
