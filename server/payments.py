"""Who takes the money of a workspace."""

from collections.abc import Callable

from credits.recharge.provider import Provider
from credits.workspaces import Workspace


def providers(stripe: Provider | None, sandbox: Provider) -> Callable[[Workspace], Provider | None]:
    """Which provider serves a workspace; None: nobody is set up to.

    `sandbox` serves test workspaces alone. With `stripe` (None: PAYMENTS says sandbox), a live key serves live workspaces
    and leaves test ones to the sandbox; a test key serves all of them, in test mode.
    """

    def of(workspace: Workspace) -> Provider | None:
        if stripe is not None and (not stripe.live or not workspace.test_mode):
            return stripe
        return sandbox if workspace.test_mode else None

    return of
