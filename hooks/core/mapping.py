"""Which push mappings stand behind an Atlassian group, by ids once a name has matched.

Must live here: what makes a mapping trusted, moved, renamed, orphaned.
Must not know: who the person is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.core.reading import (
    MISSING,
    AskGroup,
    Asking,
    DirectoryReading,
    Link,
    OktaGroup,
    PushMapping,
    Unread,
)
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hooks.core.ids import OktaGroupId, ScimGroupId
    from hooks.core.membership import Group
    from hooks.core.reading import Answer, Ask


@dataclass(frozen=True, slots=True)
class Source:
    """One Okta group that stands, or stood, behind an Atlassian group.

    ``live`` while its mapping is listed ACTIVE or ERROR; ``active`` while it is ACTIVE;
    ``listed`` while it is listed at all. Only live ones can remove; all of them can keep.
    """

    group: OktaGroupId
    live: bool
    active: bool
    listed: bool


@dataclass(frozen=True, slots=True)
class Managed:
    """A group some mapping leads to. ``cause`` says why it may not be changed now, if so."""

    sources: tuple[Source, ...]
    cause: Cause | None = None

    @property
    def orphaned(self) -> bool:
        """All its mappings are gone or INACTIVE."""
        return not any(source.live for source in self.sources)


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mappings of one directory as one look sees them.

    ``links`` are those to remember from now on; ``loose`` are listed mappings whose target could
    not be read, so that they may lead to any group.
    """

    listed: tuple[PushMapping, ...]
    links: tuple[Link, ...]
    fresh: tuple[Link, ...]
    loose: tuple[PushMapping, ...]


def read(
    directory: DirectoryReading, groups: Iterable[Group], answers: Mapping[Ask, Answer]
) -> Mappings | Asking | Unread:
    """Match the listed mappings with the remembered links and with ``groups`` by exact name.

    A mapping never seen before is matched by the name of its Okta target, read for that.
    """
    if isinstance(directory.mappings, Unread):
        return directory.mappings
    trusted = tuple(link for link in directory.links if not link.accept)
    remembered = {link.mapping for link in trusted}
    unknown = [each for each in directory.mappings if each.id not in remembered]
    known = {link.target: (link.group, link.name) for link in trusted}
    named = {group.display: (group.id, group.display) for group in groups}
    accepted = {
        link.mapping: (link.group, {group.id: group.display for group in groups}.get(link.group))
        for link in directory.links
        if link.accept
    }
    fresh: list[Link] = []
    loose: list[PushMapping] = []
    asks: set[Ask] = set()
    for each in unknown:
        answer = answers.get(AskGroup(each.target))
        if answer is None:
            asks.add(AskGroup(each.target))
        elif not isinstance(answer, OktaGroup):
            loose.append(each)
        elif each.id in accepted:
            group, display = accepted[each.id]
            fresh.append(_link(each, group, display or answer.name, answer.name))
        elif found := known.get(each.target) or named.get(answer.name):
            fresh.append(_link(each, *found, answer.name))
    if asks:
        return Asking(frozenset(asks))
    return Mappings(directory.mappings, trusted, tuple(fresh), tuple(loose))


def _link(mapping: PushMapping, group: ScimGroupId, name: str, target_name: str) -> Link:
    return Link(mapping.id, mapping.source, mapping.target, group, name, target_name)


def behind(group: Group, mappings: Mappings) -> Managed | None:
    """What stands behind a group; ``None`` if no mapping ever led to it."""
    listed = {mapping.id: mapping for mapping in mappings.listed}
    links = [link for link in (*mappings.links, *mappings.fresh) if link.group == group.id]
    if not links:
        return None
    sources = []
    cause = None
    for link in links:
        now = listed.get(link.mapping)
        if now and (now.source, now.target) != (link.source, link.target):
            cause = Cause.MAPPING_MOVED
        if group.display and link.name != group.display:
            cause = cause or Cause.MAPPING_RENAMED
        sources.append(
            Source(
                link.source,
                live=bool(now and now.live),
                active=bool(now and now.status == "ACTIVE"),
                listed=now is not None,
            )
        )
    return Managed(tuple(sources), cause)


def check_targets(
    group: Group, mappings: Mappings, answers: Mapping[Ask, Answer]
) -> Cause | Unread | Asking | None:
    """Read again the targets a change of ``group`` rests on; ``None`` if all are as remembered."""
    listed = {mapping.id: mapping for mapping in mappings.listed}
    asks: set[Ask] = set()
    for link in (*mappings.links, *mappings.fresh):
        now = listed.get(link.mapping)
        if link.group != group.id or not (now and now.live):
            continue
        answer = answers.get(AskGroup(link.target))
        if answer is None:
            asks.add(AskGroup(link.target))
        elif isinstance(answer, Unread):
            return answer if answer.passing else Cause.MAPPING_UNREADABLE
        elif not isinstance(answer, OktaGroup):
            return Cause.MAPPING_UNREADABLE
        elif answer.name != link.target_name:
            return Cause.MAPPING_RENAMED
    return Asking(frozenset(asks)) if asks else None


def check_sources(
    managed: Managed, answers: Mapping[Ask, Answer]
) -> Cause | Unread | Asking | None:
    """Can this credential read every group the person is said not to be in?

    A source that is no longer listed and is gone keeps nobody; a listed one that cannot be read
    may be hidden, and a deleted group is never "nobody is a member".
    """
    asks: set[Ask] = set()
    for source in managed.sources:
        answer = answers.get(AskGroup(source.group))
        if answer is None:
            asks.add(AskGroup(source.group))
        elif isinstance(answer, Unread):
            return answer if answer.passing else Cause.SOURCE_UNREADABLE
        elif answer is MISSING and source.listed:
            return Cause.SOURCE_UNREADABLE
    return Asking(frozenset(asks)) if asks else None
