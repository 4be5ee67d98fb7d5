"""Feeds (RSS, Atom), OPML lists and browser bookmarks as item records. Files only: nothing here opens a socket."""

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from llmrec.engine.errors import ImportFailed

_FEED_SUFFIXES = {".xml", ".rss", ".atom", ".opml", ".html", ".htm"}
_MAX_BYTES = 15_000_000
_MAX_ITEMS = 100_000
_MAX_DEPTH = 100


def is_feed(path: Path) -> bool:
    """Whether the file's ending belongs to this module."""
    return path.suffix.lower() in _FEED_SUFFIXES


def read(path: Path, *, now: float) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered records of a feed, an OPML list or a bookmarks file.

    Dates that cannot be meant are dropped or set to `now`: who imports a feed cannot mend it.

    Raises:
        ImportFailed: the file cannot be read, is too big, or holds no items.
    """
    data = _bytes(path)
    suffix = path.suffix.lower()
    if suffix in (".html", ".htm"):
        records = list(_bookmarks(data))
    else:
        _refuse_doctype(data, path)
        records = list(_opml(data, path) if suffix == ".opml" else _feed(data, now))
    if not records:
        raise ImportFailed(f"{path.name}: holds no items. Known: RSS, Atom, OPML and bookmarks of a browser.")
    return iter(list(enumerate(records, start=1))[:_MAX_ITEMS])


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise ImportFailed(f"{path}: cannot be read ({exc.strerror}). Check the name.") from exc
    if len(data) > _MAX_BYTES:
        raise ImportFailed(f"{path.name}: is larger than {_MAX_BYTES:,} bytes. Split it. Nothing was imported.")
    return data


def _refuse_doctype(data: bytes, path: Path) -> None:
    """Entity and nesting bombs need a DOCTYPE or absurd depth; feeds need neither."""
    flat = data.replace(b"\x00", b"").lower()
    if b"<!doctype" in flat or b"<!entity" in flat:
        raise ImportFailed(f"{path.name}: declares a DOCTYPE, which no feed needs and which can be a trap. Remove it.")
    depth = deepest = 0
    try:
        for event, _ in ElementTree.iterparse(BytesIO(data), events=("start", "end")):
            depth += 1 if event == "start" else -1
            deepest = max(deepest, depth)
            if deepest > _MAX_DEPTH:
                raise ImportFailed(f"{path.name}: is nested more than {_MAX_DEPTH} deep. That is no feed.")
    except ElementTree.ParseError:
        return  # feedparser mends much that is not well formed


def _feed(data: bytes, now: float) -> Iterator[dict[str, Any]]:
    import feedparser

    feed = feedparser.parse(BytesIO(data))
    source = str(feed.feed.get("title", ""))
    for entry in feed.entries[:_MAX_ITEMS]:
        content = entry.get("content") or [{}]
        title = plain(str(entry.get("title", "")))
        text = plain(str(entry.get("summary") or content[0].get("value") or ""))
        if not title and not text:
            continue
        yield {
            "id": str(entry.get("id") or entry.get("link") or "") or None,
            "title": title or text[:80],
            "text": text,
            "url": safe_url(str(entry.get("link", ""))),
            "source": plain(source),
            "tags": [str(tag.get("term", "")) for tag in entry.get("tags", [])][:10],
            "published_at": _moment(entry.get("published_parsed") or entry.get("updated_parsed"), now),
        }


def _opml(data: bytes, path: Path) -> Iterator[dict[str, Any]]:
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as exc:
        raise ImportFailed(f"{path.name}, line {exc.position[0]}: is not OPML ({exc}). Nothing was imported.") from exc
    for outline in root.iter("outline"):
        url = safe_url(outline.get("htmlUrl") or outline.get("xmlUrl") or "")
        title = outline.get("title") or outline.get("text")
        if url and title:
            category = outline.get("category") or ""
            text = outline.get("description") or f"A feed called {title}."
            yield {"title": title, "text": text, "url": url, "source": _host(url), "tags": category or None}


class _Bookmarks(HTMLParser):
    """Links of the bookmarks format all browsers export."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []
        self._link: dict[str, str | None] | None = None
        self._folders: list[str] = []
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._text = ""
        self._link = dict(attrs) if tag == "a" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "h3":
            self._folders = [*self._folders, self._text.strip()][-8:]
        elif tag == "dl" and self._folders:
            self._folders.pop()
        elif tag == "a" and self._link is not None:
            self._add(self._link)
            self._link = None

    def handle_data(self, data: str) -> None:
        self._text += data

    def _add(self, link: dict[str, str | None]) -> None:
        url = safe_url(link.get("href") or "")
        if url and self._text.strip():
            host = _host(url)
            folder = self._folders[-1] if self._folders else None
            text = f"Bookmark{f' in {folder}' if folder else ''}, {host}."
            self.records.append(
                {"title": self._text, "text": text, "url": url, "source": host, "tags": [folder] if folder else None}
            )


def _bookmarks(data: bytes) -> list[dict[str, Any]]:
    parser = _Bookmarks()
    parser.feed(data.decode("utf-8", errors="replace"))
    return parser.records


class _Text(HTMLParser):
    """Text of an HTML fragment without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style")
        self.parts.append("\n" if tag in ("p", "br", "li", "div") else " ")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style") and self._silent > 0

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def plain(html: str) -> str:
    """Text without tags; entities decoded."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts).strip()


def safe_url(url: str) -> str | None:
    """The address if it is http or https, else None: other schemes can run things."""
    return url.strip() if url.strip().lower().startswith(("http://", "https://")) else None


def _host(url: str) -> str:
    """Host of an http address, for the source column."""
    return url.split("/")[2].split("@")[-1]


def _moment(parsed: Any, now: float) -> str | None:
    """ISO 8601 of a parsed date, never in the future; None where it cannot be meant."""
    if not parsed or not 1970 <= parsed[0] <= 9000:
        return None
    return datetime.fromtimestamp(min(calendar.timegm(parsed), now), UTC).isoformat()
