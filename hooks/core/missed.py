"""Groups seen before that are not shown any more, though nobody is known to have taken them.

Must live here: when an answer is too short to be believed at once. Must not know: what is wanted.
A list that lost its entries at the wrong moment would settle somebody who keeps everything; so
what was seen before is missed once, and believed to be gone when a later look agrees.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from hooks.core.ids import Uuid
    from hooks.core.ledger import Ledger
    from hooks.core.memory import Memory

#: Two answers closer to each other may come from one and the same fault.
APART = timedelta(seconds=20)


def missed(
    memory: Memory,
    shown: Collection[Uuid],
    ledger: Ledger,
    concerned: Collection[Uuid],
    now: datetime,
) -> frozenset[Uuid]:
    """Which of the ``concerned`` groups are missing from what is ``shown``, as far as in doubt."""
    if memory.missed_since is not None and now - memory.missed_since >= APART:
        return frozenset()
    ours = {each.group for each in ledger.taken}
    return frozenset((memory.groups & set(concerned)) - set(shown) - ours)
