"""Files into items and events: what is accepted, and that every bad line is named and changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import NOW

from llmrec.engine import Engine, ImportFailed
from llmrec.engine.importers import MAX_LINE, Problems, item_from_record

GOOD = '{"id": "a", "title": "Tide tables", "text": "How to read them.", "tags": ["sea"], "published_at": "2020-01-02"}'


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_jsonl_keeps_every_field_and_unknown_keys(engine: Engine, write: Callable[..., Path]) -> None:
    line = {"id": "m1", "title": "T", "text": "x", "url": "https://e.org", "source": "film", "tags": ["Drama"]}
    line |= {"published_at": "1995-01-01T00:00:00Z", "domain": "shop", "price": 3, "note": "n"}
    assert engine.import_items([write("a.jsonl", json.dumps(line))]) == (1, 0)
    item = engine.item("m1")
    assert (item.source, item.tags, item.published_at, item.domain) == ("film", ("Drama",), 788918400.0, "shop")
    assert item.extra == {"price": 3, "note": "n"}


def test_csv_and_tsv_use_the_same_columns(engine: Engine, write: Callable[..., Path]) -> None:
    csv = 'id,title,text,tags\na,"One, two","three\nfour",x|y\n'
    tsv = "id\ttitle\tdomain\nb\tFive\tshop\n"
    assert engine.import_items([write("a.csv", csv), write("b.tsv", tsv)]) == (2, 0)
    assert engine.item("a").title == "One, two"
    assert engine.item("a").tags == ("x", "y")
    assert engine.item("b").domain == "shop"


def test_importing_again_updates_instead_of_doubling(engine: Engine, write: Callable[..., Path]) -> None:
    engine.import_items([write("a.jsonl", GOOD)])
    assert engine.import_items([write("a.jsonl", GOOD.replace("Tide tables", "Tides"))]) == (0, 1)
    assert engine.item("a").title == "Tides"
    assert [hit.id for hit in engine.search("tides")][:1] == ["a"]


def test_without_an_id_the_same_content_gets_the_same_one(engine: Engine, write: Callable[..., Path]) -> None:
    path = write("a.jsonl", '{"title": "No id"}')
    assert engine.import_items([path]) == (1, 0)
    assert engine.import_items([path]) == (0, 1)


BAD_LINES = {
    "broken JSON": ('{"title": "x"', "line 2: is not JSON"),
    "not an object": ("[1, 2]", "line 2: is a JSON list"),
    "no title": ('{"id": "b", "text": "x"}', 'line 2: has no "title"'),
    "title of control characters": ('{"title": "\\u0007\\u001b"}', 'line 2: has no "title"'),
    "title of lone surrogates": ('{"title": "\\ud800"}', 'line 2: has no "title"'),
    "duplicate id": (GOOD, "line 2: the id 'a' was already used on line 1"),
    "NaN": ('{"title": "x", "rating": NaN}', "line 2: has the number NaN"),
    "future date": ('{"title": "x", "published_at": "2999-01-01"}', "lies in the future"),
    "date of 1601": ('{"title": "x", "published_at": "1601-01-01T00:00:00Z"}', "too long ago"),
    "no date": ('{"title": "x", "published_at": "yesterday"}', "not an ISO 8601 date"),
    "tags of a wrong type": ('{"title": "x", "tags": 7}', '"tags" must be a list'),
    "text of a wrong type": ('{"title": {"a": 1}}', '"title" must be text'),
    "deep nesting": ('{"title": "x", "a": ' + "[" * 100_000 + "]" * 100_000 + "}", "line 2: is not JSON"),
    "long line": ('{"title": "' + "x" * MAX_LINE + '"}', "line 2: is longer than"),
    "wrong encoding": (b'{"title": "\xe4"}', "line 2: is not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_named_and_nothing_is_imported(case: str, engine: Engine, write: Callable[..., Path]) -> None:
    line, message = BAD_LINES[case]
    content = GOOD.encode() + b"\n" + (line if isinstance(line, bytes) else line.encode()) + b"\n"
    with pytest.raises(ImportFailed, match=r"items\.jsonl, line 2") as caught:
        engine.import_items([write("items.jsonl", content)])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert engine.status().items == 0


def test_skipping_bad_lines_lists_them_and_keeps_the_rest(engine: Engine, write: Callable[..., Path]) -> None:
    problems = Problems(skip=True)
    path = write("a.jsonl", GOOD + '\n{"broken\n{"title": "Second"}\n{"text": "no title"}\n')
    assert engine.import_items([path], problems=problems) == (2, 0)
    assert [p.split(":")[0] for p in problems.found] == ["a.jsonl, line 2", "a.jsonl, line 4"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pdf", "x", "unknown file type .pdf"),
        ("a", "x", "unknown file type (no ending)"),
        ("a.csv", "name,text\nx,y\n", "no column title"),
        ("a.csv", 'title\n"x" y\n', "is not CSV"),
        ("a.xml", "<rss></rss>", "holds no items"),
        ("a.xml", '<!DOCTYPE r [<!ENTITY a "b">]><rss/>', "DOCTYPE"),
        ("a.opml", "<opml><body>", "is not OPML"),
        ("a.html", "<p>nothing</p>", "holds no items"),
        ("a.xml", "<a>" * 200 + "</a>" * 200, "nested more than"),
    ],
)
def test_unusable_files_are_refused_in_one_line(
    name: str, content: str, message: str, engine: Engine, write: Callable[..., Path]
) -> None:
    with pytest.raises(ImportFailed) as caught:
        engine.import_items([write(name, content)])
    assert message in str(caught.value)
    assert engine.status().items == 0


def test_control_characters_and_markup_are_cleaned_not_believed(engine: Engine, write: Callable[..., Path]) -> None:
    hostile = {"id": "h", "title": "\x1b]52;c;x\x07[@click=app.quit]Hi[/]\u202e\x9b2J", "text": "a\x00b"}
    engine.import_items([write("a.jsonl", json.dumps(hostile))])
    item = engine.item("h")
    assert item.title == "]52;c;x[@click=app.quit]Hi[/]2J"
    assert item.text == "ab"


def test_feeds_opml_and_bookmarks_become_items(engine: Engine, write: Callable[..., Path]) -> None:
    rss = """<rss version="2.0"><channel><title>Harbour blog</title>
      <item><title>Tides &amp; moons</title><link>https://e.org/1</link><description>&lt;b&gt;Spring&lt;/b&gt; tide
      &lt;script&gt;alert(1)&lt;/script&gt;</description><pubDate>Thu, 02 Jan 2020 10:00:00 GMT</pubDate></item>
      <item><title>Odd</title><link>javascript:alert(1)</link><pubDate>Thu, 02 Jan 2099 10:00:00 GMT</pubDate></item>
    </channel></rss>"""
    opml = (
        '<opml><body><outline text="A" xmlUrl="https://a.org/f"/><outline text="B" xmlUrl="file:///x"/></body></opml>'
    )
    html = '<DL><DT><H3>Sea</H3><DL><DT><A HREF="https://b.org/x">Knots</A><DT><A HREF="javascript:x">Bad</A></DL></DL>'
    files = [write("f.xml", rss), write("l.opml", opml), write("b.html", html)]
    assert engine.import_items(files) == (4, 0)
    found = {i.title: i for i in engine.items(list(engine.view("me").ids))}
    assert found["Tides & moons"].text.startswith("Spring tide")
    assert "alert" not in found["Tides & moons"].text
    assert found["Odd"].url is None
    assert found["Odd"].published_at == NOW
    assert found["Knots"].tags == ("Sea",)


BAD_EVENTS = {
    "unknown item": ('{"item": "zz", "kind": "like", "at": "2020-01-01"}', "no item has the id 'zz'"),
    "unknown kind": ('{"item": "a", "kind": "love", "at": "2020-01-01"}', "the kind 'love' is unknown"),
    "no time": ('{"item": "a", "kind": "like"}', 'has no "at"'),
    "future": ('{"item": "a", "kind": "like", "at": "2999-01-01"}', "lies in the future"),
    "1601": ('{"item": "a", "kind": "like", "at": "1601-01-01"}', "too long ago"),
    "NaN value": ('{"item": "a", "kind": "like", "at": "2020-01-01", "value": NaN}', "NaN"),
    "place of zero": ('{"item": "a", "kind": "like", "at": "2020-01-01", "place": 0}', "not a place in a list"),
    "half a place": ('{"item": "a", "kind": "like", "at": "2020-01-01", "place": 1.5}', "not a place in a list"),
    "place of text": ('{"item": "a", "kind": "like", "at": "2020-01-01", "place": "top"}', "not a number"),
    "value of text": ('{"item": "a", "kind": "like", "at": "2020-01-01", "value": "much"}', "not a number"),
}


@pytest.mark.parametrize("case", BAD_EVENTS)
def test_a_bad_event_is_named_and_none_is_imported(case: str, engine: Engine, write: Callable[..., Path]) -> None:
    line, message = BAD_EVENTS[case]
    engine.import_items([write("a.jsonl", GOOD)])
    good = '{"item": "a", "kind": "open", "at": "2020-01-01T00:00:00+02:00"}'
    with pytest.raises(ImportFailed, match=r"events\.jsonl, line 2") as caught:
        engine.import_events(write("events.jsonl", f"{good}\n{line}\n"))
    assert message in str(caught.value)
    assert engine.status().events == 0
    assert engine.import_events(write("ok.jsonl", good)) == 1


def test_texts_are_kept_short_enough_to_store() -> None:
    item = item_from_record({"title": "t" * 9_999, "text": "x" * 1_000_000}, now=NOW)
    assert (len(item.title), len(item.text)) == (500, 20_000)
