"""The encoder's whole chain on a tiny corpus with a random teacher, and what each step must keep."""

import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("tokenizers", reason="needs the extra [train]")
pytest.importorskip("llama_cpp", reason="needs llama-cpp-python")

from click.testing import CliRunner, Result  # noqa: E402

from llmrec.engine.embedding import TEXT_CHARS, embedded_text  # noqa: E402
from llmrec.engine.records import Item, ItemId  # noqa: E402
from llmrec.models.bert_folder import BertFolder, read_folder  # noqa: E402
from llmrec.models.gguf_header import read_header  # noqa: E402
from llmrec.models.host import Host  # noqa: E402
from llmrec.models.llamacpp import LlamaEmbedder  # noqa: E402
from llmrec.models.training.bert import Bert, Output, load_bert  # noqa: E402
from llmrec.models.training.checkpoints import CheckpointError, Checkpoints  # noqa: E402
from llmrec.models.training.corpus import Row, Unseen, same_title, split_of  # noqa: E402
from llmrec.models.training.encoder import main  # noqa: E402
from llmrec.models.training.encoder_batches import endless, plan, token_ids  # noqa: E402
from llmrec.models.training.encoder_export import save_folder, write_gguf  # noqa: E402
from llmrec.models.training.encoder_texts import (  # noqa: E402
    BUDGETS,
    SHORT_BUDGETS,
    TokenTexts,
    documents,
    load_texts,
    prepare,
    texts_of,
    tokenizer_of,
)
from llmrec.models.training.encoder_train import Losses, Recipe, Trainer, Whitener, losses  # noqa: E402
from llmrec.models.training.phrases import phrases  # noqa: E402
from llmrec.models.vectors import Whitening, unit  # noqa: E402
from tests.models.tiny import tiny_bert_folder  # noqa: E402

RECIPE = Recipe(layers=(0,), targets=(1,), tokens=200, rate=3e-3, warm_up=2)
HIDDEN_TITLE = "W7 w7"
"""Title of a catalogue's item that is in the corpus too."""


def titles(half: str, count: int) -> list[str]:
    """Titles of one half."""
    return list(islice((t for t in (f"W{n} w{n * 7 % 40} n{n}" for n in range(10_000)) if split_of(t) == half), count))


def text(rng: np.random.Generator) -> str:
    """A few sentences of the tiny vocabulary."""
    return " ".join("W" + " w".join(map(str, rng.integers(0, 40, rng.integers(5, 12)))) + "." for _ in range(7))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty documents of the training half, six held out, and one that is an item of a catalogue."""
    folder, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    names = [*titles("train", 30), *titles("held-out", 6), HIDDEN_TITLE]
    rows = [{"title": name, "text": text(rng), "genres": ["W1 w2", "W3"]} for name in names]
    parts = {"films": rows[::4], "scitldr-train": rows[1::4], "scitldr-dev": rows[2::4], "wiki-0": rows[3::4]}
    for name, part in parts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    (folder / "items.json").write_text(json.dumps({"title": f"{HIDDEN_TITLE} (1999)", "text": "w1"}) + "\n")
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> BertFolder:
    """A random encoder of two layers."""
    return read_folder(tiny_bert_folder(tmp_path_factory.mktemp("teacher") / "tiny", layers=2))


@pytest.fixture(scope="module")
def texts(corpus: Path, teacher: BertFolder) -> TokenTexts:
    """The training half as tokens."""
    return prepare(documents(corpus, "train", Unseen()), tokenizer_of(teacher), 5)


def run(step: str, corpus: Path, teacher: BertFolder, out: Path, *more: str) -> Result:
    """One step of the command, tiny."""
    options = ["--corpus", str(corpus), "--teacher", str(teacher.path), "--out", str(out), "--tiny"]
    return CliRunner().invoke(main, [step, *options, "--unseen", str(corpus / "items.json"), *more])


@pytest.fixture(scope="module")
def made(corpus: Path, teacher: BertFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all steps have run."""
    out = tmp_path_factory.mktemp("run")
    result = run("all", corpus, teacher, out, "--any-teacher")
    assert result.exit_code == 0, result.output
    return out


def test_all_steps_leave_a_model_and_a_card(made: Path) -> None:
    header = read_header(made / "llmrec-embed.Q8_0.gguf")
    assert header.metadata["bert.block_count"] == 1
    assert header.metadata["general.name"] == "llmrec-embed"
    assert header.metadata["general.license"] == "apache-2.0"
    assert header.metadata["general.base_model.0.name"] == "all-MiniLM-L6-v2"
    figures = json.loads((made / "figures.json").read_text())
    assert -1 <= figures["cosine"] <= 1
    assert figures["texts"] == len((made / "held-out.jsonl").read_text().splitlines())
    card = (made / "llmrec-embed.md").read_text()
    assert f"| mean cosine to the teacher | {figures['cosine']:.4f} |" in card
    assert "12 updates" in card


def test_samples_of_the_card_are_the_first_queries_in_their_order(made: Path) -> None:
    rows = [json.loads(line) for line in (made / "held-out.jsonl").read_text().splitlines()]
    queries = [row["text"] for row in rows if row["kind"] == "query" and " " in row["text"]]
    card = (made / "llmrec-embed.md").read_text().partition("unpicked")[2]
    shown = [line.split(" | ")[0].removeprefix("| ") for line in card.splitlines() if line.startswith("| ")][1:]
    assert shown == queries[:40]


def test_the_card_tells_how_both_rank(made: Path, corpus: Path, teacher: BertFolder) -> None:
    (made / "ranking").mkdir()
    for who, value in (("student", 0.049), ("teacher", 0.05)):
        ranked = {"users": 40, "steps": 1_234, "policies": {"blend": {"ndcg@10": value}}}
        (made / "ranking" / f"music-{who}.json").write_text(json.dumps(ranked))
    assert "nDCG" not in (made / "llmrec-embed.md").read_text()
    assert run("card", corpus, teacher, made, "--any-teacher").exit_code == 0
    assert "| music | 40 | 1,234 | 0.0490 | 0.0500 | 0.980 |" in (made / "llmrec-embed.md").read_text()


def test_steps_that_are_done_are_not_done_again(made: Path, corpus: Path, teacher: BertFolder) -> None:
    before = {name: (made / name).read_bytes() for name in ("train.npz", "held-out.jsonl", "checkpoint.pt")}
    for step in ("prepare", "train"):
        assert run(step, corpus, teacher, made, "--any-teacher").exit_code == 0
    assert {name: (made / name).read_bytes() for name in before} == before


def test_another_teacher_is_refused(made: Path, corpus: Path, teacher: BertFolder) -> None:
    result = run("export", corpus, teacher, made)
    assert result.exit_code == 1
    assert "SHA-256" in result.output


def test_a_step_too_early_says_what_to_do(corpus: Path, teacher: BertFolder, tmp_path: Path) -> None:
    for step, first in (("train", "prepare"), ("export", "train"), ("evaluate", "prepare"), ("card", "evaluate")):
        result = run(step, corpus, teacher, tmp_path, "--any-teacher")
        assert result.exit_code == 1
        assert f"run the step `{first}` first" in result.output


def test_halves_share_no_document_and_catalogues_stay_unseen(corpus: Path) -> None:
    unseen = Unseen([corpus / "items.json"])
    halves = [{same_title(row["title"]) for row in documents(corpus, half, unseen)} for half in ("train", "held-out")]
    assert [len(half) for half in halves] == [30, 6]
    assert not halves[0] & halves[1]
    assert same_title(HIDDEN_TITLE) not in halves[0] | halves[1]


def test_no_text_of_the_evaluation_data_is_trained_on(shared: Path) -> None:
    catalogue = shared / "eval" / "films" / "items.jsonl"
    unseen = Unseen([catalogue])
    items = [json.loads(line) for line in catalogue.read_text("utf-8").splitlines()[:500]]
    names = {same_title(item["title"]) for item in items}
    starts = {item["text"][:200] for item in items if len(item["text"]) > 200}
    for row in documents(shared / "corpus", "held-out", unseen, 150):
        assert same_title(row["title"]) not in names
        assert row["text"][:200] not in starts


def test_an_item_is_embedded_as_the_app_does(corpus: Path) -> None:
    row: Row = {"title": "W1", "text": "w1 " * 500, "source": "films"}
    items = {t.text for seed in range(40) for t in texts_of(row, seed) if t.kind == "item"}
    assert embedded_text(Item(ItemId("x"), "W1", row["text"])) in items
    assert max(map(len, items)) == len("W1. ") + TEXT_CHARS


def test_texts_of_a_document_are_the_same_in_every_run(corpus: Path) -> None:
    row = next(documents(corpus, "train", Unseen()))
    assert list(texts_of(row, 1)) == list(texts_of(row, 1))
    assert {t.kind for t in texts_of(row, 1)} >= {"title", "item", "sentence", "query", "list"}


def test_an_item_may_be_a_name_and_its_tags() -> None:
    row: Row = {
        "title": "Kelp",
        "source": "films",
        "text": "Kelp is a brown alga, and of the cold seas; it forms forests.",
    }
    known = {"kelp", "brown alga", "cold seas", "forms forests"}
    assert set(map(str.lower, phrases(row["text"]))) == known
    tagged = [t.text for seed in range(40) for t in texts_of(row, seed) if t.kind == "tags"]
    assert any("tags: " in text for text in tagged)
    for text in tagged:
        name, _, rest = text.partition(". ")
        assert name.lower() in known
        assert set(rest.rpartition(": ")[2].rstrip(".").lower().split(", ")) <= known


def test_going_on_takes_more_queries_lists_and_tags_and_fewer_sentences() -> None:
    row: Row = {"title": "W1", "text": " ".join(f"Seven plain words stand here, number {n}." for n in range(12))}
    row["source"] = "wiki-0"
    first, more = (Counter(t.kind for t in texts_of(row, 1, budgets)) for budgets in (BUDGETS, SHORT_BUDGETS))
    assert more["query"] > first["query"]
    assert more["list"] > first["list"]
    assert more["tags"] > first["tags"]
    assert more["sentence"] < first["sentence"]


def test_a_batch_has_one_length_and_a_pass_every_text_once(texts: TokenTexts) -> None:
    batches = plan(texts, 200, 0)
    assert sorted(np.concatenate(batches)) == list(range(len(texts)))
    for rows in batches:
        ids = token_ids(texts, rows)
        assert ids.shape[1] == texts.lengths[rows[0]]
        assert ids.numel() <= 200 or len(ids) == 1


def test_batches_go_on_where_they_stopped_over_the_end_of_a_pass(texts: TokenTexts) -> None:
    whole = list(islice(endless(texts, 200, 0, 0), len(plan(texts, 200, 0)) + 5))
    for start in (0, 3, len(whole) - 3):
        rest = list(islice(endless(texts, 200, 0, start), len(whole) - start))
        assert all(np.array_equal(a, b) for a, b in zip(rest, whole[start:], strict=True))


def trainer(teacher: BertFolder, texts: TokenTexts, recipe: Recipe = RECIPE) -> Trainer:
    return Trainer(load_bert(teacher), load_bert(teacher, recipe.layers), texts, recipe)


class Losing:
    """Total losses by step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def __call__(self, step: int, parts: Losses) -> None:
        self.seen.append(float(parts.total(RECIPE).detach()))


def kept(path: Path) -> Checkpoints:
    return Checkpoints(path, clock=lambda: 0.0)


def test_a_run_that_was_broken_off_ends_like_an_unbroken_one(
    teacher: BertFolder, texts: TokenTexts, tmp_path: Path
) -> None:
    unbroken, first, second = Losing(), Losing(), Losing()
    trainer(teacher, texts).run(8, kept(tmp_path / "a.pt"), unbroken)
    broken = trainer(teacher, texts)
    broken._whiten = broken._fit()
    for step, (ids, wanted) in enumerate(broken._lessons(5)):
        first(step, broken._update(ids, wanted, broken._whiten, RECIPE.rate_at(broken.step, 8)))
        broken.step += 1
    kept(tmp_path / "b.pt").save(broken.state())
    resumed = trainer(teacher, texts)
    state = kept(tmp_path / "b.pt").load()
    assert state is not None
    resumed.restore(state)
    resumed.run(8, kept(tmp_path / "b.pt"), second)
    assert first.seen + second.seen == pytest.approx(unbroken.seen, rel=1e-5)


def test_the_student_comes_nearer_to_its_teacher(teacher: BertFolder, texts: TokenTexts, tmp_path: Path) -> None:
    seen = Losing()
    trainer(teacher, texts).run(60, kept(tmp_path / "a.pt"), seen)
    assert np.mean(seen.seen[-5:]) < 0.6 * np.mean(seen.seen[:5])


def test_a_teacher_has_no_distance_from_itself(teacher: BertFolder, texts: TokenTexts) -> None:
    model = load_bert(teacher)
    out = model(token_ids(texts, plan(texts, 200, 0)[0]))
    parts = losses(out, out, (0, 1), Whitener.fit(out.vectors.detach()))
    assert [float(x.detach().sum()) for x in (parts.vectors, parts.tokens, parts.pairs, parts.whitened)] == [0] * 4


def off_by(angle: float, axis: int, spread: Sequence[float]) -> Losses:
    """Losses of a student whose vectors are all turned by `angle` towards `axis`.

    The teacher's vectors lie about (1, 0, 0), off it by normal numbers with the standard deviations `spread` along the
    other two axes.
    """
    rng = np.random.default_rng(0)
    cloud = np.column_stack([np.ones(2_000), rng.normal(0, spread, (2_000, 2))])
    wanted = torch.from_numpy(unit(cloud))
    turn = torch.eye(3)
    turn[0, 0] = turn[axis, axis] = math.cos(angle)
    turn[0, axis], turn[axis, 0] = math.sin(angle), -math.sin(angle)
    hidden = (wanted[:, None],)
    return losses(Output(hidden, wanted @ turn), Output(hidden, wanted), (0,), Whitener.fit(wanted))


def test_an_error_where_the_teacher_varies_little_costs_more_after_whitening() -> None:
    wide, narrow = off_by(0.02, 1, (0.2, 0.02)), off_by(0.02, 2, (0.2, 0.02))
    assert float(narrow.vectors) == pytest.approx(float(wide.vectors), rel=0.1)
    assert float(narrow.whitened) > 10 * float(wide.whitened)


def test_the_student_learns_through_the_map_that_ranking_uses() -> None:
    vectors = unit(np.random.default_rng(0).normal(0.5, 1, (500, 8)))
    ours = Whitener.fit(torch.from_numpy(vectors))(torch.from_numpy(vectors)).numpy()
    assert ours == pytest.approx(Whitening.fit(vectors).apply(vectors), abs=1e-5)


def test_without_its_weight_whitening_costs_nothing() -> None:
    parts = off_by(0.02, 2, (0.2, 0.02))
    rest = float(parts.vectors + parts.tokens.sum() + parts.pairs)
    assert float(parts.total(replace(RECIPE, whitened_weight=0.0))) == pytest.approx(rest)
    assert float(parts.total(replace(RECIPE, whitened_weight=2.0))) == pytest.approx(rest + 2 * float(parts.whitened))


def test_a_checkpoint_of_another_recipe_is_refused(teacher: BertFolder, texts: TokenTexts) -> None:
    state = trainer(teacher, texts).state()
    for other in (Recipe(layers=(1,), targets=(1,)), replace(RECIPE, whitened_weight=0.5)):
        with pytest.raises(CheckpointError, match="another recipe"):
            trainer(teacher, texts, other).restore(state)


def test_a_run_begins_with_the_student_of_another(
    made: Path, corpus: Path, teacher: BertFolder, tmp_path: Path
) -> None:
    for name in ("train.npz", "held-out.jsonl", "documents.json", "figures.json", "llmrec-embed.Q8_0.gguf"):
        shutil.copy(made / name, tmp_path)
    more = ("--any-teacher", "--rate", "1e-9", "--start-from", str(made / "checkpoint.pt"))
    assert run("train", corpus, teacher, tmp_path, *more).exit_code == 0
    before, after = (kept(path / "checkpoint.pt").load() for path in (made, tmp_path))
    assert before is not None
    assert after is not None
    assert after["step"] == 12
    for name, weight in before["student"].items():
        assert torch.allclose(weight, after["student"][name], atol=1e-6), name
    assert run("card", corpus, teacher, tmp_path, "--any-teacher").exit_code == 0
    card = (tmp_path / "llmrec-embed.md").read_text()
    assert "level at 1e-09" in card
    assert "Before that, the student had learnt for 12 updates with" in card
    assert "more than in a first run" not in card
    assert run("card", corpus, teacher, tmp_path, "--any-teacher", "--short").exit_code == 0
    assert "more than in a first run" in (tmp_path / "llmrec-embed.md").read_text()


def test_a_run_begins_with_a_file_that_ships(made: Path, corpus: Path, teacher: BertFolder, tmp_path: Path) -> None:
    shutil.copy(made / "train.npz", tmp_path)
    more = ("--any-teacher", "--rate", "1e-9", "--start-from", str(made / "llmrec-embed.Q8_0.gguf"))
    assert run("train", corpus, teacher, tmp_path, *more).exit_code == 0
    exported, after = (kept(path / "checkpoint.pt").load() for path in (made, tmp_path))
    assert exported is not None
    assert after is not None
    assert "SHA-256" in after["before"][0]
    for name, weight in exported["student"].items():  # Q8_0 keeps about two digits of a row's largest number
        assert torch.allclose(weight, after["student"][name], atol=float(weight.abs().max()) / 200), name
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF")
    (tmp_path / "checkpoint.pt").unlink()
    result = run("train", corpus, teacher, tmp_path, "--any-teacher", "--start-from", str(damaged))
    assert result.exit_code == 1
    assert "holds no student" in result.output


def test_a_run_cannot_begin_with_what_is_missing_or_has_another_shape(
    made: Path, corpus: Path, teacher: BertFolder, texts: TokenTexts, tmp_path: Path
) -> None:
    shutil.copy(made / "train.npz", tmp_path)
    result = run("train", corpus, teacher, tmp_path, "--any-teacher", "--start-from", str(tmp_path / "none.pt"))
    assert result.exit_code == 1
    assert "none.pt is missing" in result.output
    two_layers = trainer(teacher, texts, Recipe(layers=(0, 1), targets=(0, 1))).state()
    with pytest.raises(CheckpointError, match="no student of this shape"):
        trainer(teacher, texts).start_from(two_layers)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"a\.pt is damaged"):
        kept(tmp_path / "a.pt").load()


def test_states_are_saved_when_due(tmp_path: Path) -> None:
    now = [0.0]
    checkpoints = Checkpoints(tmp_path / "a.pt", every=60, clock=lambda: now[0])
    assert checkpoints.load() is None
    now[0] = 60.0
    assert checkpoints.due()
    checkpoints.save({"step": 3})
    assert not checkpoints.due()
    assert checkpoints.load() == {"step": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    rates = [RECIPE.rate_at(step, 100) for step in range(101)]
    assert rates[0] < rates[1] == rates[50] == RECIPE.rate
    assert rates[70:] == sorted(rates[70:], reverse=True)
    assert rates[100] == 0


@pytest.fixture(scope="module")
def student(teacher: BertFolder, texts: TokenTexts, tmp_path_factory: pytest.TempPathFactory) -> Bert:
    """A student after a few steps."""
    trained = trainer(teacher, texts)
    trained.run(10, kept(tmp_path_factory.mktemp("student") / "a.pt"), lambda step, parts: None)
    return trained.student


@pytest.fixture(scope="module")
def embedder(student: Bert, teacher: BertFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaEmbedder]:
    """The same student in llama.cpp."""
    folder, host = tmp_path_factory.mktemp("export"), Host()
    save_folder(student, teacher, folder / "student")
    yield LlamaEmbedder(write_gguf(folder / "student", folder / "student.gguf", "f16").path, host)
    host.close()


def test_llama_cpp_gives_the_vectors_of_pytorch(student: Bert, teacher: BertFolder, embedder: LlamaEmbedder) -> None:
    written = ["w1 w2 w3", "W4", "w5, w6. unknown w39", "w7 " * 50]
    tokenizer = tokenizer_of(teacher)
    with torch.inference_mode():
        ours = np.concatenate([student(torch.tensor([tokenizer.encode(t).ids])).vectors.numpy() for t in written])
    assert [embedder.tokens(t) for t in written] == [tokenizer.encode(t).ids for t in written]
    assert (embedder.embed(written) * ours).sum(1).min() >= 0.9999


def test_prepared_texts_come_back_from_disk(made: Path, teacher: BertFolder) -> None:
    texts = load_texts(made / "train.npz")
    assert texts.lengths.sum() == len(texts.ids)
    assert texts.lengths.max() <= teacher.max_tokens
