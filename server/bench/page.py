"""The host page of the pixel benchmark: one balance, and a log of what was on the screen when."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PATH = "/bench"

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


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE)


def create_page_route() -> Route:
    return Route(PATH, _page)
