"""The bundled catalogues: large and varied enough, well formed, fresh, and with vectors that fit."""

import re
from collections import Counter

import numpy as np
import pytest
from conftest import NOW

from llmrec import sample_data
from llmrec.engine import Engine, Item
from llmrec.engine.importers import content_hash, item_from_record
from llmrec.engine.samples import load_samples


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [item_from_record(record, now=NOW) for record in sample_data.items(NOW)]


def test_three_catalogues_of_at_least_300(items: list[Item]) -> None:
    counts = Counter(item.domain for item in items)
    assert set(counts) == {"shop", "feed", "courses"}
    assert min(counts.values()) >= 300
    assert len({item.id for item in items}) == len({item.title for item in items}) == len(items)


def test_texts_are_whole_plain_and_each_written_for_itself(items: list[Item]) -> None:
    sentences: Counter[str] = Counter()
    for item in items:
        assert 40 <= len(item.text.split()) <= 120, item.id
        assert item.text.endswith("."), item.id
        assert "!" not in item.text
        assert item.tags
        assert item.source
        sentences.update(re.split(r"(?<=\.)\s", item.text))
    assert [s for s, count in sentences.items() if count > 1] == []


def test_the_feed_is_fresh_whenever_it_is_read(items: list[Item]) -> None:
    ages = [NOW - (item.published_at or 0) for item in items if item.domain == "feed"]
    assert min(ages) > 0
    assert sum(age < 86_400 for age in ages) >= 50


def test_nobody_reacts_before_an_item_is_out(items: list[Item]) -> None:
    published = {item.id: item.published_at or 0.0 for item in items}
    people = set()
    for record in sample_data.events(NOW):
        people.add(record["user"])
        moment = np.datetime64(record["at"].removesuffix("+00:00")).astype("datetime64[us]").astype(np.int64) / 1e6
        assert published[record["item"]] <= moment <= NOW
    assert people == set(sample_data.PEOPLE)


def test_every_item_has_its_shipped_vector(items: list[Item]) -> None:
    model, hashes, vectors = sample_data.vectors()
    assert "@" in model  # name and hash of the weights
    assert {bytes(h) for h in hashes} == {content_hash(item) for item in items}, "run `make vectors`"
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-3)


@pytest.mark.llama
def test_the_shipped_vectors_are_the_installed_encoders_own(items: list[Item]) -> None:
    with Engine.open(":memory:") as engine:
        model, hashes, vectors = sample_data.vectors()
        assert engine.encoder_id == model, "run `make vectors`"
        place = {bytes(h): row for row, h in enumerate(hashes)}
        some = items[::97]
        shipped = np.stack([vectors[place[content_hash(item)]] for item in some]).astype(np.float32)
        cosines = np.sum(engine.embed_items(some) * shipped, axis=1)
        assert cosines.min() > 0.999


@pytest.mark.llama
def test_the_first_start_needs_no_embedding() -> None:
    with Engine.open(":memory:") as engine:
        load_samples(engine, NOW)
        status = engine.status()
        assert status.items >= 900
        assert status.pending == 0
        assert {words for i in engine.interests("ada") for words in i.words} >= {"sailing", "gardening", "baking"}
        assert engine.interests("ada")[0].words[0] == "sailing"
