"""The host pages of the benchmarks in a browser: one balance, and a log of what was on the screen when."""

import html
import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from server.embed import folder

PATH = "/bench"
PLAIN_PATH = "/bench/plain"
TOKEN_PATH = "/bench/token"  # noqa: S105 -- no secret

# `seen` gets [available, ms since 1970] once the frame that shows it has been handed over: the first task after the
# animation callbacks of that frame.
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>scrip bench</title>
<script type="module" src="/embed/v1.js"></script>
<scrip-provider endpoint="/"><scrip-balance credit-type="ai"></scrip-balance></scrip-provider>
<script type="module">
document.querySelector("scrip-provider").fetchToken = async () => location.hash.slice(1);
const root = document.querySelector("scrip-balance").shadowRoot;
const seen = (window.seen = []);
const drawing = [];
const drawn = new MessageChannel();
drawn.port1.onmessage = () => {
  const at = performance.timeOrigin + performance.now();
  seen.push(...drawing.splice(0).map((available) => [available, at]));
};
let last = null;
new MutationObserver(() => {
  const available = root.querySelector("[part~=value]")?.getAttribute("value") ?? null;
  if (available === null || available === last) return;
  last = available;
  drawing.push(available);
  requestAnimationFrame(() => drawn.port2.postMessage(null));
}).observe(root, { subtree: true, childList: true, attributes: true });
</script>
"""


# The snippet of the embed's README as a host writes it: the rules of `reserve.css` in its own styles, the script in the
# head, a token in the page or one that is fetched, text below that would move. `shown` is the ms from the start of the
# navigation to the first frame with the balance, in the same way as above; the console says when it is there, because
# whatever asks the page from outside brings a script of its own, which takes longer than the embed's.
_PLAIN_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>scrip bench</title>
<link rel="icon" href="data:,">
<style>{reserve}</style>
<script>
const shifts = (window.shifts = []);
const tasks = (window.tasks = []);
new PerformanceObserver((list) => shifts.push(...list.getEntries().map(({{ value }}) => value)))
  .observe({{ type: "layout-shift", buffered: true }});
new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({{ duration }}) => duration)))
  .observe({{ type: "longtask", buffered: true }});
</script>
<script type="module" src="{host}/embed/v1.js"></script>
<p>Your credits</p>
<scrip-provider endpoint="{host}/" {session}><scrip-balance credit-type="ai"></scrip-balance></scrip-provider>
<p>What is below must not move.</p>
<script type="module">
const root = document.querySelector("scrip-balance").shadowRoot;
const drawn = new MessageChannel();
drawn.port1.onmessage = () => {{
  window.shown ??= performance.mark("shown").startTime;
  console.debug("shown");
}};
const look = () => {{
  if (root.querySelector("[part~=value]")?.getAttribute("value") == null) return;
  watching.disconnect();
  requestAnimationFrame(() => drawn.port2.postMessage(null));
}};
const watching = new MutationObserver(look);
watching.observe(root, {{ subtree: true, childList: true, attributes: true }});
look();
</script>
</html>
"""


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE)


async def _plain_page(request: Request) -> Response:
    """`?token=…` goes into the page, or, with `&apart`, is fetched, and Scrip is on another origin than the page; `&bare`
    leaves the reserving rules out.
    """
    asked = request.query_params
    reserve = "" if "bare" in asked else (current(folder()) / "reserve.css").read_text(encoding="utf-8")
    token = html.escape(asked["token"])
    session, host = f'token="{token}"', ""
    if "apart" in asked:
        session, host = f'token-url="{TOKEN_PATH}?token={token}"', f"http://localhost:{request.url.port}"
    return HTMLResponse(_PLAIN_PAGE.format(reserve=reserve, session=session, host=host))


async def _token(request: Request) -> Response:
    """The host's own answer to `token-url`."""
    return JSONResponse({"token": request.query_params["token"]})


def current(dist: Path) -> Path:
    """Where the files of the built version are. Raises `FileNotFoundError` before the first build."""
    return dist / str(json.loads((dist / "manifest.json").read_bytes())["version"])


def create_page_routes() -> list[Route]:
    return [Route(PATH, _page), Route(PLAIN_PATH, _plain_page), Route(TOKEN_PATH, _token, methods=["POST"])]
