"""Files into items and events: JSONL, CSV and TSV here, feeds and bookmarks in `feeds`.

Everything read is untrusted. A bad line is named with file, line number and what to do; by default one bad line
refuses the whole file, so that nothing is half imported.
"""

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from llmrec.engine.errors import ImportFailed
from llmrec.engine.records import DEFAULT_USER, Event, Item, ItemId, Kind
from llmrec.models.clean import clean

MAX_LINE = 1_000_000
"""Bytes of one line; longer ones are refused before they are parsed."""
MAX_TEXT = 20_000
"""Characters of an item's text that are kept."""
_MAX_TAGS = 32
_TELL = 500  # items between two words on how many were read
_MAX_EXTRA = 10_000  # characters of unknown keys kept per item
_SKEW = 86_400.0  # seconds a date may lie ahead, for clocks and time zones that differ
_OLDEST_ITEM = datetime(1700, 1, 1, tzinfo=UTC).timestamp()
_OLDEST_EVENT = 0.0
_KNOWN = ("id", "title", "text", "url", "source", "tags", "published_at", "domain")
DEFAULT_DOMAIN = "items"


class BadLine(Exception):
    """One line cannot be used; the text says why and what to do."""


@dataclass(slots=True)
class Problems:
    """Where bad lines go: the first one stops the import, or all are listed and skipped."""

    skip: bool = False
    found: list[str] = field(default_factory=list)

    def report(self, path: Path, line: int, what: str) -> None:
        """Note a bad line, or stop.

        Raises:
            ImportFailed: bad lines are not to be skipped.
        """
        message = f"{path.name}, line {line}: {what}"
        if not self.skip:
            raise ImportFailed(f"{message} Nothing was imported; --skip-bad leaves such lines out.")
        self.found.append(message)


def content_hash(item: Item) -> bytes:
    """Identity of what is embedded: unchanged content is not embedded again."""
    return sha256(f"{item.title}\x00{item.text}".encode()).digest()[:16]


def counted(items: Iterable[Item], told: Callable[[int], object]) -> Iterator[Item]:
    """The same items; `told` hears at every so many how many they were, and at last of all."""
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        if done % _TELL == 0:
            told(done)
    told(done)


def read_items(path: Path, *, now: float, domain: str | None, problems: Problems) -> Iterator[Item]:
    """Items of one file of any known format.

    Args:
        path: the file.
        now: Unix seconds; dates more than a day later are refused.
        domain: for items that name none.
        problems: what to do with bad lines.

    Raises:
        ImportFailed: the file cannot be read, is of no known type, or has a bad line.
    """
    from llmrec.engine import feeds  # feedparser is slow to import and rarely needed

    if feeds.is_feed(path):
        records: Iterable[tuple[int, dict[str, Any]]] = feeds.read(path, now=now)
    else:
        records = _records(path, problems)
    lines: dict[str, int] = {}
    for line, record in records:
        try:
            item = item_from_record(record, now=now, domain=domain)
            if (first := lines.setdefault(item.id, line)) != line:
                raise BadLine(f"the id {item.id!r} was already used on line {first}. Give each item its own id.")
        except BadLine as exc:
            problems.report(path, line, str(exc))
            continue
        yield item


def read_events(path: Path, *, now: float, known: Callable[[str], bool], problems: Problems) -> Iterator[Event]:
    """Events of a JSONL or CSV file.

    Args:
        path: the file.
        now: Unix seconds; dates more than a day later are refused, earlier future ones clamped.
        known: whether an item of this id exists.
        problems: what to do with bad lines.

    Raises:
        ImportFailed: the file cannot be read, is of no known type, or has a bad line.
    """
    for line, record in _records(path, problems):
        try:
            event = event_from_record(record, now=now)
            if not known(event.item):
                raise BadLine(f"no item has the id {event.item!r}. Import the items first.")
        except BadLine as exc:
            problems.report(path, line, str(exc))
            continue
        yield event


def item_from_record(record: dict[str, Any], *, now: float, domain: str | None = None) -> Item:
    """One item from a decoded line.

    Raises:
        BadLine: a field has a value that cannot be used.
    """
    title = _text(record, "title", limit=500)
    if not title:
        raise BadLine('has no "title". Every item needs one.')
    text = _text(record, "text", limit=MAX_TEXT, multiline=True)
    url = _text(record, "url", limit=2_000) or None
    item_id = _text(record, "id", limit=200) or _derived_id(url, title, text)
    extra = {k: v for k, v in record.items() if k not in _KNOWN and k is not None and v not in (None, "")}
    return Item(
        id=ItemId(item_id),
        title=title,
        text=text,
        url=url,
        source=_text(record, "source", limit=100),
        tags=_tags(record.get("tags")),
        published_at=_date(record.get("published_at"), "published_at", oldest=_OLDEST_ITEM, now=now),
        domain=_text(record, "domain", limit=40) or domain or DEFAULT_DOMAIN,
        extra=_clean_extra(extra),
    )


def event_from_record(record: dict[str, Any], *, now: float) -> Event:
    """One event from a decoded line.

    Raises:
        BadLine: a field is missing or has a value that cannot be used.
    """
    item = _text(record, "item", limit=200)
    if not item:
        raise BadLine('has no "item". Name the id of the item it happened to.')
    kind = _text(record, "kind", limit=40)
    if kind not in tuple(Kind):
        raise BadLine(f"the kind {kind!r} is unknown. Use one of {', '.join(Kind)}.")
    at = _date(record.get("at"), "at", oldest=_OLDEST_EVENT, now=now)
    if at is None:
        raise BadLine('has no "at". Say when it happened, as in 2009-04-01T12:00:00Z.')
    user = _text(record, "user", limit=100) or DEFAULT_USER
    value, place = _number(record.get("value"), "value"), _place(record.get("place"))
    return Event(user, ItemId(item), Kind(kind), min(at, now), value, place=place)


# -- files into records ------------------------------------------------------------------------------------------


def _records(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and decoded lines of a JSONL, CSV or TSV file."""
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _json_records(path, problems)
    if suffix in (".csv", ".tsv"):
        return _csv_records(path, "\t" if suffix == ".tsv" else ",")
    raise ImportFailed(
        f"{path.name}: unknown file type {suffix or '(no ending)'}. Known: .jsonl, .csv, .tsv;"
        " items also from .xml, .rss, .atom (feeds), .opml and .html (bookmarks)."
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, without ends; over-long and wrongly encoded ones stop the import."""
    try:
        with path.open("rb") as file:
            for number in range(1, 1 << 62):
                raw = file.readline(MAX_LINE + 2)
                if not raw:
                    return
                if len(raw) > MAX_LINE:
                    raise ImportFailed(
                        f"{path.name}, line {number}: is longer than {MAX_LINE:,} bytes. One line holds one object;"
                        " shorten it. Nothing was imported."
                    )
                yield number, _decode(raw, path, number)
    except OSError as exc:
        raise ImportFailed(f"{path}: cannot be read ({exc.strerror}). Check the name.") from exc


def _decode(raw: bytes, path: Path, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as exc:
        raise ImportFailed(
            f"{path.name}, line {number}: is not UTF-8 text. Save it as UTF-8 and try again. Nothing was imported."
        ) from exc


def _json_records(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            yield number, _json_object(line)
        except BadLine as exc:
            problems.report(path, number, str(exc))


def _json_object(line: str) -> dict[str, Any]:
    def refuse(name: str) -> float:
        raise BadLine(f"has the number {name}, which is no value. Use null.")

    try:
        record = json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as exc:
        where = f" (column {exc.colno})" if isinstance(exc, json.JSONDecodeError) else ""
        raise BadLine(f"is not JSON{where}. Each line must be one object.") from exc
    if not isinstance(record, dict):
        raise BadLine(f"is a JSON {type(record).__name__}, not an object. Each line must be one object.")
    return record


def _csv_records(path: Path, delimiter: str) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = _lines(path)
    header = next(lines, None)
    if header is None:
        return
    reader = csv.DictReader((text + "\n" for _, text in chain([header], lines)), delimiter=delimiter, strict=True)
    if not set(reader.fieldnames or ()) & {"title", "item"}:
        raise ImportFailed(f"{path.name}, line 1: has no column title (items) or item (events). Nothing was imported.")
    try:
        for record in reader:
            yield reader.line_num, {k: v for k, v in record.items() if k is not None}  # None: cells beyond the header
    except csv.Error as exc:
        raise ImportFailed(
            f"{path.name}, line {reader.line_num}: is not {'TSV' if delimiter != ',' else 'CSV'} ({exc})."
            " Check the quotes. Nothing was imported."
        ) from exc


# -- fields ------------------------------------------------------------------------------------------------------


def _text(record: dict[str, Any], key: str, *, limit: int, multiline: bool = False) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        raise BadLine(f'"{key}" must be text, not {type(value).__name__}.')
    return clean(str(value), multiline=multiline, limit=limit)


def _tags(value: object) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    parts: Sequence[object] = re.split(r"[|;,]", value) if isinstance(value, str) else value  # type: ignore[assignment]
    if not isinstance(parts, list):
        raise BadLine('"tags" must be a list of texts.')
    cleaned = (clean(str(part), limit=60) for part in parts if isinstance(part, str | int | float))
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:_MAX_TAGS]


def _date(value: object, key: str, *, oldest: float, now: float) -> float | None:
    """Unix seconds from ISO 8601; a date without offset is taken as UTC."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadLine(f'"{key}" must be an ISO 8601 date such as 2009-04-01T12:00:00Z, not {value!r:.40}.')
    shown = repr(clean(value, limit=40))
    try:
        moment = datetime.fromisoformat(value.strip())
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as exc:
        raise BadLine(f'"{key}" is {shown}, not an ISO 8601 date such as 2009-04-01T12:00:00Z.') from exc
    if seconds < oldest:
        raise BadLine(f'"{key}" is {shown}, too long ago to be meant. Use null where it is unknown.')
    if seconds > now + _SKEW:
        raise BadLine(f'"{key}" is {shown}, which lies in the future. Check the year and the clock.')
    return seconds


def _number(value: object, key: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise BadLine(f'"{key}" is {clean(str(value), limit=40)!r}, not a number.')
    return number


def _place(value: object) -> int | None:
    place = _number(value, "place")
    if place is None:
        return None
    if place < 1 or place != int(place):
        raise BadLine(f'"place" is {place:g}, not a place in a list. Use 1 for the top, or null.')
    return int(place)


def _derived_id(url: str | None, title: str, text: str) -> str:
    return "x" + sha256((url or f"{title}\x00{text}").encode()).hexdigest()[:16]


def _clean_extra(extra: dict[str, Any]) -> dict[str, Any]:
    """Unknown keys with their texts cleaned; dropped where they are too big to keep."""

    def scrub(value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return clean(value, multiline=True)
        if depth > 4:
            return None
        if isinstance(value, dict):
            return {clean(str(k), limit=60): scrub(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [scrub(v, depth + 1) for v in value]
        return value

    scrubbed: dict[str, Any] = scrub(extra)
    return scrubbed if len(json.dumps(scrubbed)) <= _MAX_EXTRA else {}
