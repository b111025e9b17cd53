"""Which SCIM record is this Okta user's, or why that cannot be said. Design 3.1.

Must live here: every rule that ties a record to a person.
Must not know: what the person should have.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hooks.core.asks import (
    Ask,
    Asking,
    AskLog,
    AskRecordById,
    AskRecordsByExternalId,
    AskRecordsByUserName,
)
from hooks.core.ids import OktaUserId, ScimUserId
from hooks.core.membership import Standing
from hooks.core.reading import (
    MISSING,
    AppUser,
    DirectoryReading,
    OktaUser,
    Reading,
    ScimRecord,
    Unread,
    Why,
)
from hooks.core.refusal import Cause


class How(StrEnum):
    """What ties the record to the person."""

    APP_USER = "app_user"
    LINK = "link"
    EXTERNAL_ID = "external_id"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Identified:
    """The one record that is this person's."""

    record: ScimRecord
    how: How


@dataclass(frozen=True, slots=True)
class Unidentified:
    """No record may be touched; ``others`` are people whose record it turned out to be."""

    cause: Cause
    unread: Unread | None = None
    others: frozenset[OktaUserId] = frozenset()


def first_asks(directory: DirectoryReading) -> frozenset[Ask]:
    """What to read about the record as soon as the assignment is known."""
    asks: set[Ask] = {AskRecordsByExternalId(directory.name)}
    asks.update(AskRecordById(directory.name, known) for known in _known_ids(directory))
    return frozenset(asks)


def identify(reading: Reading, directory: DirectoryReading) -> Identified | Unidentified | Asking:
    """The record of ``reading.user_id`` in this directory.

    The AppUser's externalId, the link we made while it was in force and the record's own
    externalId each tie a record to the person; together they must name exactly one that exists.
    """
    asks = first_asks(directory)
    if missing := asks - reading.answers.keys():
        return Asking(frozenset(missing))
    for ask in sorted(asks, key=repr):
        unread = _unbelieved(reading, ask)
        if unread:
            return Unidentified(Cause.RECORD_UNREAD, unread)
    said = directory.app_user.external_id if isinstance(directory.app_user, AppUser) else None
    if said and reading.answers[AskRecordById(directory.name, said)] is MISSING:
        return Unidentified(Cause.RECORD_GONE)
    records = {record.id: record for ask in asks for record in _records(reading.answers[ask])}
    match list(records.values()):
        case []:
            return _without_tie(reading, directory)
        case [record]:
            return _owned(reading, record, _how(directory, record))
        case _:
            return Unidentified(Cause.RECORD_SEVERAL)


def _unbelieved(reading: Reading, ask: Ask) -> Unread | None:
    """An answer that is none, or that is about somebody else: a filter may have been ignored."""
    answer = reading.answers[ask]
    if isinstance(answer, Unread):
        return answer
    if isinstance(ask, AskRecordById):
        return None
    if not isinstance(answer, tuple):
        return Unread(Why.INCOMPLETE, detail="a list was not there")
    if isinstance(ask, AskRecordsByUserName):
        wanted = ask.user_name.casefold()
        fits = all(record.user_name.casefold() == wanted for record in _records(answer))
    else:
        fits = all(record.external_id == reading.user_id for record in _records(answer))
    return None if fits else Unread(Why.INCOMPLETE, detail="a filter was ignored")


def _known_ids(directory: DirectoryReading) -> set[ScimUserId]:
    known = set()
    if isinstance(directory.app_user, AppUser) and directory.app_user.external_id:
        known.add(directory.app_user.external_id)
    if directory.memory.scim_id:
        known.add(directory.memory.scim_id)
    return known


def _records(answer: object) -> list[ScimRecord]:
    found = answer if isinstance(answer, tuple) else ()
    return [record for record in found if isinstance(record, ScimRecord)]


def _how(directory: DirectoryReading, record: ScimRecord) -> How:
    if isinstance(directory.app_user, AppUser) and directory.app_user.external_id == record.id:
        return How.APP_USER
    return How.LINK if directory.memory.scim_id == record.id else How.EXTERNAL_ID


def _owned(reading: Reading, record: ScimRecord, how: How) -> Identified | Unidentified:
    """A record whose own externalId is another Okta user's id is that user's. Design 3.1."""
    owner = OktaUserId.maybe(record.external_id)
    if owner and owner.startswith("00u") and owner != reading.user_id:
        return Unidentified(Cause.RECORD_TAKEN, others=frozenset({owner}))
    return Identified(record, how)


def _without_tie(
    reading: Reading, directory: DirectoryReading
) -> Identified | Unidentified | Asking:
    """No tie leads to a record: a userName may, but only beside an assignment in the log."""
    if _known_ids(directory):
        return Unidentified(Cause.RECORD_GONE)
    log = reading.log
    here = isinstance(directory.app_user, AppUser) and directory.app_user.in_force
    asked = directory.memory.standing is Standing.OUTSIDE
    if log is None and asked and not here and not reading.spoken_of(directory.app_id):
        return Unidentified(Cause.RECORD_NONE)
    if log is None:
        return Asking(frozenset({AskLog()}))
    if isinstance(log, Unread):
        return Unidentified(Cause.HISTORY_UNREAD, log)
    name = user_name(reading, directory)
    if directory.app_id not in log.assignments or not name:
        return Unidentified(Cause.RECORD_NONE)
    return _by_user_name(reading, AskRecordsByUserName(directory.name, name))


def _by_user_name(
    reading: Reading, ask: AskRecordsByUserName
) -> Identified | Unidentified | Asking:
    if ask not in reading.answers:
        return Asking(frozenset({ask}))
    unread = _unbelieved(reading, ask)
    if unread:
        return Unidentified(Cause.RECORD_UNREAD, unread)
    match _records(reading.answers[ask]):
        case []:
            return Unidentified(Cause.RECORD_NONE)
        case [record]:
            return _owned(reading, record, How.LOG)
        case _:
            return Unidentified(Cause.RECORD_SEVERAL)


def user_name(reading: Reading, directory: DirectoryReading) -> str:
    """The userName under which the app knows this person, as far as anything says."""
    if isinstance(directory.app_user, AppUser) and directory.app_user.user_name:
        return directory.app_user.user_name
    if directory.memory.user_name:
        return directory.memory.user_name
    return reading.user.login if isinstance(reading.user, OktaUser) else ""
