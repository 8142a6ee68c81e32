"""`python -m tests.harness.stripe --port 12111 --seed 7`: the fake as a process."""

import argparse
import asyncio

from tests.harness.stripe.api import Fake
from tests.harness.stripe.serving import listening, serve


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    listener = listening(given.port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(f"ready {url}, seed {given.seed}", flush=True)
    asyncio.run(serve(Fake(given.seed, url), listener, lambda _server: None))


if __name__ == "__main__":
    main()
