"""Which push mappings stand behind an Atlassian group, by ids once a name has matched.

Must live here: what makes a mapping trusted, moved, renamed, orphaned.
Must not know: who the person is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hooks.core.asks import Asking, AskOktaGroup
from hooks.core.memory import Link
from hooks.core.reading import MISSING, DirectoryReading, OktaGroup, PushMapping, Unread
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hooks.core.asks import Ask
    from hooks.core.ids import OktaGroupId, PushMappingId, ScimGroupId
    from hooks.core.membership import Group
    from hooks.core.reading import Answer


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
class Loose:
    """A listed mapping that may lead to any group: its target could not be read, or it moved."""

    source: OktaGroupId
    unread: Unread | None


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mappings of one directory as one look sees them.

    ``links`` count now, the remembered ones and the ``fresh`` ones, which are to be remembered;
    ``onto`` are mappings that moved onto a group, and can only keep people in it. ``by_group`` are
    the links again: there may be hundreds, and each group of a person is judged by its own.
    """

    listed: Mapping[PushMappingId, PushMapping]
    links: tuple[Link, ...]
    fresh: tuple[Link, ...]
    loose: tuple[Loose, ...]
    onto: tuple[tuple[ScimGroupId, OktaGroupId], ...] = ()
    by_group: Mapping[ScimGroupId, tuple[Link, ...]] = field(default_factory=dict)

    def to(self, group: ScimGroupId) -> tuple[Link, ...]:
        """The links to a group."""
        return self.by_group.get(group, ())


def read(
    directory: DirectoryReading, groups: Iterable[Group], answers: Mapping[Ask, Answer]
) -> Mappings | Asking | Unread:
    """Match the listed mappings with the remembered links and with ``groups`` by exact name.

    A mapping never seen before is matched by the name of its Okta target, read for that.
    """
    if isinstance(directory.mappings, Unread):
        return directory.mappings
    listed = {each.id: each for each in directory.mappings}
    trusted = [link for link in directory.links if not link.accept or link.mapping not in listed]
    remembered = {link.mapping for link in trusted}
    unknown = [each for each in listed.values() if each.id not in remembered]
    asks = {AskOktaGroup(each.target) for each in unknown} - answers.keys()
    if asks:
        return Asking(frozenset(asks))
    known = {link.target: link for link in trusted}
    names = _Names.of(groups, known, {link.mapping: link for link in directory.links})
    fresh: list[Link] = []
    loose: list[Loose] = []
    for each in unknown:
        answer = answers[AskOktaGroup(each.target)]
        if not isinstance(answer, OktaGroup):
            loose.append(Loose(each.source, answer if isinstance(answer, Unread) else None))
        elif link := names.match(each, answer.name):
            fresh.append(link)
    still = [(link, listed[link.mapping]) for link in trusted if link.mapping in listed]
    moved = [now for link, now in still if _moved(link, now)]
    by_group: dict[ScimGroupId, tuple[Link, ...]] = {}
    for link in (*trusted, *fresh):
        by_group[link.group] = (*by_group.get(link.group, ()), link)
    return Mappings(
        listed=listed,
        by_group=by_group,
        links=(*trusted, *fresh),
        fresh=tuple(fresh),
        loose=(*loose, *(Loose(each.source, None) for each in moved if each.target not in known)),
        onto=tuple(
            (known[each.target].group, each.source) for each in moved if each.target in known
        ),
    )


def _moved(link: Link, now: PushMapping) -> bool:
    return (now.source, now.target) != (link.source, link.target)


@dataclass(frozen=True, slots=True)
class _Names:
    """What a listed mapping can be matched with: the person's groups and what is remembered."""

    ids: Mapping[ScimGroupId, str]
    unique: Mapping[str, ScimGroupId]
    known: Mapping[OktaGroupId, Link]
    before: Mapping[PushMappingId, Link]

    @classmethod
    def of(
        cls,
        groups: Iterable[Group],
        known: Mapping[OktaGroupId, Link],
        before: Mapping[PushMappingId, Link],
    ) -> _Names:
        every = list(groups)
        count = Counter(group.display for group in every)
        unique = {group.display: group.id for group in every if count[group.display] == 1}
        return cls({group.id: group.display for group in every}, unique, known, before)

    def match(self, mapping: PushMapping, name: str) -> Link | None:
        """By the target's id if it is known, else by its name; accepted ones keep their group."""
        before = self.before.get(mapping.id)
        if before is None and (link := self.known.get(mapping.target)):
            return replace(link, mapping=mapping.id, source=mapping.source, accept=False)
        group, display = self.unique.get(name), name
        renamed = before is not None and before.target == mapping.target
        if group is None and before is not None and renamed and before.group in self.ids:
            group, display = before.group, self.ids[before.group]
        if group is None:
            return None
        return Link(mapping.id, mapping.source, mapping.target, group, display, name)


def behind(group: Group, mappings: Mappings) -> Managed | None:
    """What stands behind a group; ``None`` if no mapping ever led to it."""
    listed, cause = mappings.listed, None
    links = list(mappings.to(group.id))
    if not links:
        # A group made anew under the name of one that is remembered has another id.
        links = [
            link for link in mappings.links if link.name == group.display and link.mapping in listed
        ]
        cause = Cause.MAPPING_MOVED
    if not links:
        return None
    sources = [
        Source(source, live=False, active=False, listed=True)
        for onto, source in mappings.onto
        if onto == group.id
    ]
    for link in links:
        now = listed.get(link.mapping)
        if now and _moved(link, now):
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
    asks: set[Ask] = set()
    for link in mappings.to(group.id):
        now = mappings.listed.get(link.mapping)
        if not (now and now.live):
            continue
        answer = answers.get(AskOktaGroup(link.target))
        if answer is None:
            asks.add(AskOktaGroup(link.target))
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
        ask = AskOktaGroup(source.group, fresh=True)
        answer = answers.get(ask)
        if answer is None:
            asks.add(ask)
        elif isinstance(answer, Unread):
            return answer if answer.passing else Cause.SOURCE_UNREADABLE
        elif answer is MISSING and source.listed:
            return Cause.SOURCE_UNREADABLE
    return Asking(frozenset(asks)) if asks else None
