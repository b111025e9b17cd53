"""The organization or the directory that the settings name, which may not be there at all.

What says so must live here; who is asked, and what for, this room must not know.

An id that is wrong, or of something that has ended, is answered like an outage or like a record
that is gone: with a 404. But a list or a search is there wherever its place is, so a 404 to one
speaks of the place. Then nothing is sent for a while, as for a refused credential, and now and
then a list is tried.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from hooks.core.errors import NowhereError
from hooks.gateways.answers import code_of
from hooks.gateways.breaker import Breaker

if TYPE_CHECKING:
    from hooks.clock import Clock
    from hooks.gateways.wire import Call, Reply

_DENIALS = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


class Place:
    """One such place, and whether it answers."""

    def __init__(
        self,
        setting: str,
        clock: Clock,
        *,
        whose: str = "",
        denials: frozenset[str] = frozenset(),
        entries: frozenset[str] = frozenset(),
    ) -> None:
        """``setting`` is its name in hooks.toml, ``whose`` the operator's word for it.

        ``denials`` are codes that say of a 403 or 404 that it is about the place, ``entries``
        those that say of a 404 to a list that it is about an entry that was asked for.
        """
        self.setting = setting
        # Only an answer closes it: whatever else is said may be said of one that is not there.
        self.breaker = Breaker(
            f"{setting} {whose}".strip(),
            clock,
            opens=NowhereError,
            closes=(),
            says="names nothing that is there",
        )
        self._denials = denials
        self._entries = entries

    def denied(self, call: Call, reply: Reply) -> bool:
        """Whether this answer says that the place is not there, or not for this credential.

        Of a change that is refused, reading decides: a key may do the one and not the other.
        """
        if reply.status not in _DENIALS or call.changes:
            return False
        code = code_of(reply.body)
        lost = reply.status == HTTPStatus.NOT_FOUND and call.lists and code not in self._entries
        return lost or code in self._denials
