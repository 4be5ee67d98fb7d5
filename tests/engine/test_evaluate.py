"""Evaluation on histories whose answer is known by construction."""

import json
from pathlib import Path
from threading import Event as Cancel

import numpy as np
import pytest
from click.testing import CliRunner

from llmrec.engine import cli_evaluate
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.evaluate import Evaluation, Report, histories, sample
from llmrec.engine.metrics import mean_interval, places, quality
from llmrec.engine.records import Event, Item, ItemId, Kind
from llmrec.engine.vector_cache import VectorCache
from llmrec.models.hashing import HashingEmbedder

DAY = 86_400.0
TOPICS = ("saxophone swing trumpet", "compiler python types", "bread oven yeast")


def world(items: int = 90, likes: int = 40) -> tuple[list[Item], list[Event]]:
    """Three users, each of whom likes one topic, one item a day."""
    catalogue = [Item(ItemId(f"i{r}"), f"{TOPICS[r % 3]} n{r}", published_at=r * 0.1 * DAY) for r in range(items)]
    events = []
    for user in range(3):
        own = [r for r in range(items) if r % 3 == user][:likes]
        events += [Event(f"u{user}", ItemId(f"i{r}"), Kind.LIKE, (20 + n) * DAY) for n, r in enumerate(own)]
    return catalogue, events


def numbers() -> tuple[Catalogue, list[Event]]:
    items, events = world()
    encoder = HashingEmbedder()
    vectors = encoder.embed([item.title for item in items])
    published = np.array([item.published_at for item in items])
    return Catalogue(vectors, published, None, [item.title for item in items]), events


def rows() -> dict[ItemId, int]:
    return {ItemId(f"i{r}"): r for r in range(90)}


def test_measures_of_known_places() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.5, 0.0], np.float32)
    allowed = np.array([True, False, True, True, True])
    tie = np.array([0, 1, 3, 2, 4])
    assert places(scores, np.array([2, 4]), allowed, tie).tolist() == [2, 4]
    best = quality(np.array([1, 2]))
    assert (best.ndcg, best.hit, best.mrr) == pytest.approx((1, 1, 1))
    late = quality(np.array([3, 50]))
    assert late.ndcg == pytest.approx(0.5 / (1 + 1 / np.log2(3)))
    assert late.mrr == pytest.approx(1 / 3)
    assert quality(np.array([11])).hit == 0


def test_interval_holds_the_mean_and_nothing_is_certain_of_nothing() -> None:
    mean, low, high = mean_interval(np.arange(50) / 50, np.random.default_rng(0))
    assert low < mean < high
    assert mean_interval(np.array([]), np.random.default_rng(0)) == (0, 0, 0)


def test_who_knows_the_topic_beats_chance() -> None:
    catalogue, events = numbers()
    everybody = histories(events, rows())
    report = Report(list(Evaluation(catalogue, everybody, ("blend", "mean", "random")).run(everybody)))
    found = report.as_json()
    assert found["users"] == 3
    assert found["steps"] == 90
    by = found["policies"]
    assert by["blend"]["ndcg@10"] > 2 * by["random"]["ndcg@10"]
    low, high = by["blend"]["ndcg@10_ci95"]
    assert low <= by["blend"]["ndcg@10"] <= high


def test_what_is_not_yet_published_is_not_ranked() -> None:
    catalogue, _ = numbers()
    catalogue.published[:] = np.inf
    catalogue.published[:2] = 0
    events = [Event("u", ItemId("i0"), Kind.LIKE, 1 * DAY), Event("u", ItemId("i1"), Kind.LIKE, 2 * DAY)]
    run = Evaluation(catalogue, histories(events, rows()), ("random",))
    result = run.user(histories(events, rows())[0])
    assert result is not None
    assert result.means["random"].hit == 1, "of two items out, any order has the wanted one in the first ten"


def test_the_crowd_of_the_future_is_not_seen() -> None:
    catalogue, _ = numbers()
    later = [Event(f"v{n}", ItemId("i5"), Kind.LIKE, 9 * DAY) for n in range(5)]
    everybody = histories([Event("u", ItemId("i5"), Kind.LIKE, 8 * DAY), *later], rows())
    popular = Evaluation(catalogue, everybody, ("popular",))._policy("popular")
    assert popular.scores(8.5 * DAY)[5] == 1
    assert popular.scores(10 * DAY)[5] == 6


def test_steps_and_samples() -> None:
    _, events = numbers()
    everybody = histories([*events, Event("x", ItemId("i1"), Kind.LIKE, 0.0)], rows())
    assert [h.user for h in everybody] == ["u0", "u1", "u2", "x"]
    assert len(sample(everybody, None, np.random.default_rng(0))) == 3
    assert len(sample(everybody, 2, np.random.default_rng(0))) == 2
    twice = [Event("u", ItemId(f"i{n}"), Kind.LIKE, 5.0) for n in range(3)]
    assert len(histories(twice, rows())[0].steps) == 1


def test_a_cancelled_run_ends() -> None:
    catalogue, events = numbers()
    cancel = Cancel()
    cancel.set()
    everybody = histories(events, rows())
    assert list(Evaluation(catalogue, everybody, ("mean",)).run(everybody, cancel)) == []


class CountingEmbedder(HashingEmbedder):
    texts = 0

    def embed(self, texts, *, cancel=None):  # type: ignore[no-untyped-def]
        CountingEmbedder.texts += len(texts)
        return super().embed(texts, cancel=cancel)


def test_nothing_is_embedded_twice(tmp_path: Path) -> None:
    items, _ = world()
    CountingEmbedder.texts = 0
    first = VectorCache(tmp_path, CountingEmbedder())
    list(first.fill(items))
    again = VectorCache(tmp_path, CountingEmbedder())
    list(again.fill(items))
    assert CountingEmbedder.texts == len(items)
    assert np.array_equal(first.vectors(items), again.vectors(items))


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    items, _ = world(9)
    cache = VectorCache(tmp_path, HashingEmbedder())
    list(cache.fill(items))
    cache._path.write_bytes(b"not a zip file")
    again = VectorCache(tmp_path, HashingEmbedder())
    list(again.fill(items))
    assert again.vectors(items).shape == (9, HashingEmbedder().dim)


def write(folder: Path) -> tuple[str, str]:
    items, events = world()
    (folder / "items.jsonl").write_text(
        "\n".join(json.dumps({"id": i.id, "title": i.title, "published_at": "1970-01-02"}) for i in items)
    )
    (folder / "events.jsonl").write_text(
        "\n".join(
            json.dumps({"user": e.user, "item": e.item, "kind": "like", "at": f"2020-01-{n % 28 + 1:02}T00:00:00Z"})
            for n, e in enumerate(events)
        )
    )
    return str(folder / "items.jsonl"), str(folder / "events.jsonl")


def test_the_command_prints_the_contracts_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_evaluate, "_installed_encoder", HashingEmbedder)
    items, events = write(tmp_path)
    arguments = ["--items", items, "--events", events, "--users", "2", "--policies", "blend,mean", "--json", "--drift"]
    ran = CliRunner().invoke(cli_evaluate.evaluate, arguments, catch_exceptions=False)
    assert ran.exit_code == 0
    found = json.loads(ran.stdout)
    assert found["users"] == 2
    assert set(found["policies"]) == {"blend", "mean"}
    assert set(found["policies"]["blend"]) == {"ndcg@10", "ndcg@10_ci95", "hit@10", "mrr"}
    assert set(found["blend_against"]) == {"mean"}
    assert "drift" in found
    again = CliRunner().invoke(cli_evaluate.evaluate, arguments, catch_exceptions=False)
    assert again.stdout == ran.stdout


def test_an_unknown_method_is_named(tmp_path: Path) -> None:
    items, events = write(tmp_path)
    ran = CliRunner().invoke(cli_evaluate.evaluate, ["--items", items, "--events", events, "--policies", "nope"])
    assert ran.exit_code == 2
    assert "'nope' is none of blend" in ran.output
