"""The host page of the pixel benchmark: one balance, and a log of when what was seen."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route


async def _page(_: Request) -> Response:
    return HTMLResponse("")


def create_page_route() -> Route:
    return Route("/bench", _page)
