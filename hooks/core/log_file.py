"""A file's bytes in, its events out, each with its line, and every place that is broken.

Must live here: where an event begins and ends, whatever stands around it, and how to go on behind
damage. Must not know: files, or what an event is for.
An event counts wherever it stands: alone on its line, in an array, in a delivery, in a line of
our own export. So what is broken around it does not hide it. No more is kept than one event may
have, whatever the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.core.errors import MalformedError
from hooks.core.log_entry import Broken, event_at, event_of, exported_of

if TYPE_CHECKING:
    from hooks.core.log_entry import Piece

#: As much as a whole delivery may have.
MOST_BYTES = 8 * 1024 * 1024
#: Brackets open at once; an event has some five. Beyond it the outermost is forgotten.
_DEEPEST = 100
#: Around the events of a delivery there are three; deeper down none is expected.
_SHALLOW = 10
#: Kept of what is passed over: more than the beginning of an object has.
_TAIL = 1024

#: A JSON string on one line: a raw line break is no part of one. RFC 8259 section 7.
_STRING = r'"(?:[^"\\\n\r]++|\\.)*+"'
#: A byte order mark counts as white space, because files that had one are put together.
_MARK = "\xef\xbb\xbf"
#: All that JSON allows between two brackets, and the next bracket.
_STEP = re.compile(
    rf"(?:[\s,0-9+\-.eE]++|{_STRING}|:(?!\s*+[\[{{])|true|false|null|{_MARK})*+"
    r"(?:(?P<named>:\s*+)?(?P<opens>[\[{])|(?P<closes>[\]}]))?",
    re.ASCII,
)
#: Where to go on behind damage: a line break, which no string survives, or the beginning of an
#: object, which no string can hold, because its first quote would end the string.
_SAFE = re.compile(r'\n|\{\s*+"[^"\\\n\r]*+"\s*+:', re.ASCII)
_STRINGS = re.compile(_STRING)
_BLANK = re.compile(rf"(?:[\s,]|{_MARK})*+", re.ASCII)
_UTF_16 = ("\xff\xfe", "\xfe\xff")

NOT_JSON = "not JSON"
CUT_OFF = "an event is cut off"
ENDS = "the file ends too early"
EMPTY = "nothing in it"
STRANGE = "neither an event, nor a delivery, nor a line of `hooks events export`"
TOO_LONG = f"longer than any event ({MOST_BYTES // 1024 // 1024} MiB)"
TOO_DEEP = "nested deeper than any event"
UTF_16 = "UTF-16; convert it to UTF-8 first"


@dataclass(slots=True)
class _Open:
    """A bracket that is open, and from which byte and line on.

    ``holds``: an event was found in it, of an array directly. ``broken``: that was told.
    """

    array: bool
    at: int
    line: int
    holds: bool = False
    broken: bool = False
    long: bool = False

    @property
    def promising(self) -> bool:
        """It may still turn out to be an event."""
        return not (self.array or self.holds or self.broken or self.long)


class LogFile:
    """One file, read by pieces of any length; `feed` and `end` give what shows, in order."""

    def __init__(self) -> None:
        # Bytes as characters of the same number: json and re work on it, whatever the bytes.
        self._text = ""
        self._before = 0  # bytes of the file before the text
        self._at = 0  # where in the text the next step begins
        self._wait = 0  # without so many bytes from there on, it need not be tried again
        self._line, self._counted = 1, 0
        self._open: list[_Open] = []
        self._lost = False  # looking for a place to go on
        self._sure = True  # the open brackets are those of the file
        self._empty = True
        self._told = 0
        self._pieces: list[Piece] = []

    def feed(self, more: bytes) -> list[Piece]:
        """What these bytes show."""
        self._text += more.decode("latin-1")
        if len(self._text) - self._at >= self._wait:
            self._scan(ended=False)
            self._forget()
        return self._take()

    def end(self) -> list[Piece]:
        """What shows when there is no more."""
        self._scan(ended=True)
        cut = [each.line for each in self._open if not each.array and not each.broken]
        if self._open and self._sure:
            cut = cut or [self._line_at(len(self._text))]
        for line in cut:
            self._break(line, ENDS)
        if self._empty and not self._told:
            self._break(1, EMPTY)
        return self._take()

    def _take(self) -> list[Piece]:
        found, self._pieces = self._pieces, []
        return found

    # -- steps ---------------------------------------------------------------------------------

    def _scan(self, *, ended: bool) -> None:
        """From bracket to bracket, as far as the text is complete."""
        self._wait = 0
        while not self._lost or self._regain(ended=ended):
            step = _STEP.match(self._text, self._at)
            stop = step.end() if step else self._at
            if step and step.lastgroup:
                self._bracket(step)
            elif not ended and self._may_go_on(stop):
                self._wait = min(2 * (len(self._text) - self._at), MOST_BYTES + 1)
                return
            elif stop < len(self._text):
                self._stumble(stop, ended=ended)
            else:
                self._between(stop)
                self._at = stop
                return

    def _bracket(self, step: re.Match[str]) -> None:
        self._empty = False
        mark = step.end() - 1
        named, opens = step["named"] is not None, step["opens"]
        self._between(step.start("named") if named else mark)
        if opens == "{" and not named and self._whole(mark):
            return
        self._at = mark + 1
        if opens:
            self._opened(mark, array=opens == "[", named=named)
        else:
            self._closed(mark + 1, array=step["closes"] == "]")

    def _may_go_on(self, stop: int) -> bool:
        """Whether more text may still make a bracket of this step."""
        if len(self._text) - self._at > MOST_BYTES:
            return False
        if self._text[stop : stop + 1] == '"':
            return self._runs_out(stop)
        return len(self._text) - stop < len("false")

    def _runs_out(self, quote: int) -> bool:
        """A string that begins here may go on behind the text."""
        return all(self._text.find(each, quote) < 0 for each in "\r\n")

    def _between(self, stop: int) -> None:
        """Among elements there is nothing but white space and commas."""
        if self._at < stop and all(each.array for each in self._open):
            blank = _BLANK.match(self._text, self._at, stop)
            if blank and blank.end() < stop:
                self._break(self._line_at(blank.end()), STRANGE)

    def _stumble(self, stop: int, *, ended: bool) -> None:
        """What JSON does not have here: tell it, and look for a place to go on.

        A quote too few makes strings of what is none, so the last string is gone through too.
        """
        quote = self._text[stop] == '"'
        why = NOT_JSON
        if self._before + stop == 0 and self._text.startswith(_UTF_16):
            why = UTF_16
        elif len(self._text) - self._at > MOST_BYTES:
            why = TOO_LONG
        elif ended and quote and self._runs_out(stop):
            why = ENDS
        self._damaged(self._line_at(stop), why)
        last = None if quote else list(_STRINGS.finditer(self._text, self._at, stop))[-1:]
        begin = last[0].start() if last else stop
        self._at = begin + 1
        self._lost = True

    def _regain(self, *, ended: bool) -> bool:
        """Go on at the next safe place; false if there is none yet."""
        safe = _SAFE.search(self._text, self._at)
        end = len(self._text) - (0 if ended else _TAIL)
        if safe is None or safe.end() > end:  # or an object may begin before that line break
            self._at = max(self._at, min(end, safe.start()) if safe else end)
            return False
        if safe[0] == "\n":
            self._at = safe.end()
        else:
            # With the sign before it: whether it is somebody's value, or an array's element.
            first = max(self._at, safe.start() - _TAIL)
            before = self._text[first : safe.start()].rstrip()
            self._at = first + len(before) - 1 if before[-1:] in (":", "[") else safe.start()
        self._lost = False
        return True

    # -- brackets ------------------------------------------------------------------------------

    def _whole(self, mark: int) -> bool:
        """An event in one piece, as most are; anything else is gone through bracket by bracket."""
        if len(self._open) > _SHALLOW or (self._open and not self._open[-1].array):
            return False
        found = event_at(self._text, mark, self._line_at(mark))
        if found is None:
            return False
        piece, end = found
        self._hold(piece)
        self._at = end
        return True

    def _opened(self, mark: int, *, array: bool, named: bool) -> None:
        line = self._line_at(mark)
        while not array and not named and self._open and not self._open[-1].array:
            self._cut_off(self._open.pop())  # in an object everything has a name
        if len(self._open) >= _DEEPEST:
            self._sure = False
            outermost = self._open.pop(0)
            if not outermost.broken:
                self._break(outermost.line, TOO_DEEP)
        self._sure = self._sure or not self._open
        self._open.append(_Open(array, self._before + mark, line))

    def _closed(self, end: int, *, array: bool) -> None:
        fitting = [index for index, each in enumerate(self._open) if each.array is array]
        if not fitting:
            if self._sure:
                self._break(self._line_at(end), NOT_JSON)
            return
        between = self._open[fitting[-1] + 1 :]
        if between and self._sure and all(each.array for each in between):
            self._damaged(self._line_at(end), NOT_JSON)
        for each in between:
            self._cut_off(each)
        closed = self._open[fitting[-1]]
        del self._open[fitting[-1] :]
        if not array and not closed.holds and not closed.broken:
            self._ended(closed, end)

    def _cut_off(self, each: _Open) -> None:
        self._sure = False
        if not each.array and not each.broken:
            self._break(each.line, CUT_OFF)

    def _ended(self, closed: _Open, end: int) -> None:
        """An object is whole: an event, or at least nothing that should be one."""
        start = closed.at - self._before
        closed.long = closed.long or end - start > MOST_BYTES
        text = "" if closed.long else self._text[start:end]
        among = self._open[-1].holds if self._open else False
        element = among or all(each.array for each in self._open)
        try:
            piece: Piece | None = event_of(text, closed.line)
        except MalformedError:
            self._damaged(closed.line, NOT_JSON)
            return
        if piece is None and element:
            piece = exported_of(text, closed.line)
        if piece:
            self._hold(piece)
        elif element:
            self._break(closed.line, TOO_LONG if closed.long else STRANGE)

    def _hold(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._sure = self._sure or all(each.array for each in self._open)
        for each in self._open:
            each.holds = each.holds or not each.array or each is self._open[-1]

    # -- what is kept and told -----------------------------------------------------------------

    def _damaged(self, line: int, why: str) -> None:
        self._sure = False
        self._break(line, why)
        for each in self._open:
            each.broken = True

    def _break(self, line: int, why: str) -> None:
        """One word for each line: what follows from damage is no further damage."""
        if line != self._told:
            self._told = line
            self._pieces.append(Broken(line, why))

    def _line_at(self, place: int) -> int:
        if place > self._counted:
            self._line += self._text.count("\n", self._counted, place)
            self._counted = place
        return self._line

    def _forget(self) -> None:
        """Keep the text from the first object on that may be an event."""
        keep = self._at
        for each in self._open:
            each.long = each.long or self._before + self._at - each.at > MOST_BYTES
            if each.promising:
                keep = min(keep, each.at - self._before)
        self._line_at(keep)
        self._text = self._text[keep:]
        self._before += keep
        self._at -= keep
        self._counted -= keep
