"""Python's garbage collector, told what these processes are: much that stays, much that goes at once, few cycles.

Its stock thresholds look for cycles after every 700 new containers, and at everything that lives a few times in each
batch of events: a third of what taking events cost. What is not part of a cycle is freed at once, without it.
"""

import gc

_YOUNG = 50_000  # new containers before the young ones are looked at: about two batches of events, 10 MB
_MIDDLE, _ALL = 20, 100  # how many such looks before the older ones, and before everything, are looked at


def spare_collector() -> None:
    """Sets what has been loaded so far apart for good, and looks for cycles seldom. Call once the process has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _ALL)
