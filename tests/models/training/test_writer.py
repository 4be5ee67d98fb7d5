"""The writer's whole chain on a tiny corpus, and what each step must keep."""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("tokenizers", reason="needs the extra [train]")
pytest.importorskip("llama_cpp", reason="needs llama-cpp-python")

from click.testing import CliRunner  # noqa: E402

from llmrec.models import Prompt, prompts  # noqa: E402
from llmrec.models.errors import ModelRejected  # noqa: E402
from llmrec.models.host import Host  # noqa: E402
from llmrec.models.llamacpp import LlamaWriter  # noqa: E402
from llmrec.models.training import writer  # noqa: E402
from llmrec.models.training import writer_run as steps  # noqa: E402
from llmrec.models.training.checkpoints import CheckpointError, Checkpoints  # noqa: E402
from llmrec.models.training.writer_batches import Mixture, sheet_batch  # noqa: E402
from llmrec.models.training.writer_evaluate import Evaluation, Line  # noqa: E402
from llmrec.models.training.writer_export import Kind, export  # noqa: E402
from llmrec.models.training.writer_model import Decoder  # noqa: E402
from llmrec.models.training.writer_recipes import RECIPES, Stage  # noqa: E402
from llmrec.models.training.writer_start import start_copying  # noqa: E402
from llmrec.models.training.writer_tokens import END, END_ID, load_rows, load_stream, load_tokenizer, prompt_ids  # noqa: E402
from llmrec.models.training.writer_train import Trainer  # noqa: E402
from tests.models.training.writer_corpus import make_corpus  # noqa: E402

STAGE = replace(RECIPES["tiny"].pretrain, tokens=6_000, batch=600, accumulate=2)
AWKWARD = [
    "Plain words, and a number: 1,234.5 or 2026.",
    "Line\nbreaks\n\n  and   spaces\tand tabs ",
    "Zażółć gęślą jaźń, Ελληνικά, русский",
    "日本語の文章。中文句子!",
    "👩‍🚀🚀🇳🇴 emoji",
    f"written out: {END} and <|start|>",
    "it's we'll I'd you're 'quoted' 3rd",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> steps.Run:
    """The chain, run once by the command itself."""
    folder = tmp_path_factory.mktemp("writer")
    made = steps.Run(make_corpus(folder / "corpus"), folder / "out" / "tiny", "tiny", cases=2)
    arguments = ["all", "--corpus", str(made.corpus), "--out", str(folder / "out"), "--size", "tiny", "--cases", "2"]
    result = CliRunner().invoke(writer.main, [*arguments, "--encoder", str(folder / "none.gguf")])
    assert result.exit_code == 0, result.output
    return made


@pytest.fixture(scope="module")
def model(run: steps.Run) -> Decoder:
    return steps.newest(run).eval()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


def mixture(run: steps.Run, text_share: float = 0.5) -> Mixture:
    stage = replace(STAGE, text_share=text_share)
    rows = load_rows(run.data("sheets-train.npz"))
    return Mixture(load_stream(run.data("texts-train.bin")), rows, stage, run.recipe.shape)


# -- the chain -------------------------------------------------------------------------------------------------------


def test_the_chain_leaves_a_file_a_verdict_and_a_card(run: steps.Run, host: Host) -> None:
    found = Evaluation.load(run.out / "evaluation.json")
    measured = {line.what for line in found.lines}
    for origin in ("films", "scitldr", *steps.CATALOGUES):
        assert f"ends in a full sentence, {origin}" in measured
        assert f"names and numbers from the item, {origin}" in measured
    assert {"ROUGE-L, films", "ROUGE-L, scitldr", "tokens a second", "megabytes"} <= measured
    assert found.figures["perplexity of held-out answers"] < RECIPES["tiny"].shape.vocabulary
    card = (run.out / "llmrec-write.md").read_text("utf-8")
    assert found.sha256 in card
    assert "CC BY-SA" in card
    assert "machine-written" in card
    assert LlamaWriter(run.gguf, host).jobs == {"texts", "reasons", "half-lives"}, "no encoder told topics"
    assert found.figures.keys() >= {"still useful in a year, right answers", "first topic word is a tag's"}
    assert card.count("\n   - ") == len(found.samples) == 10


def test_the_loss_falls(run: steps.Run) -> None:
    model = Decoder(RECIPES["tiny"].shape)
    trainer = Trainer(model, STAGE, mixture(run))
    before = trainer.held_out(islice(mixture(run).answers(), 6))
    assert before == pytest.approx(math.log(RECIPES["tiny"].shape.vocabulary), abs=0.5)
    trained = Trainer(steps.newest(run), STAGE, mixture(run))
    assert trained.held_out(islice(mixture(run).answers(), 6)) < before - 0.5


def test_a_second_run_does_nothing_again(run: steps.Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.data("").iterdir()}
    steps.prepare_data(run)
    steps.make_tokenizer(run)
    assert steps.train(run, run.recipe.pretrain, lambda: False)
    assert {path: path.stat().st_mtime_ns for path in run.data("").iterdir()} == before


def test_a_stage_begins_with_the_mean_of_those_before(
    run: steps.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(run, out=tmp_path)
    shutil.copytree(run.data(""), other.data(""))
    for name in ("pretrain", "tune"):
        shutil.copy(run.out / f"{name}.pt", tmp_path)
    assert run.recipe.stages[-1].begins == 2
    assert not steps.train(other, run.recipe.stages[-1], lambda: True), "it took a step"
    begun, trained = (torch.load(tmp_path / f"{n}.pt", weights_only=True)["model"] for n in ("pretrain", "tune"))
    for key, weight in steps.newest(other).state_dict().items():
        assert torch.allclose(weight, (begun[key] + trained[key]) / 2), key
    with monkeypatch.context() as changed:
        changed.setitem(RECIPES, "tiny", replace(RECIPES["tiny"], kept=0.25))
        polished = torch.load(run.out / "polish.pt", weights_only=True)["model"]
        for key, weight in steps.newest(run).state_dict().items():
            wanted = 0.75 * polished[key] + 0.25 * (begun[key] + trained[key]) / 2
            assert torch.allclose(weight, wanted, atol=1e-6), key


def test_a_step_without_the_one_before_names_it(run: steps.Run, tmp_path: Path) -> None:
    result = CliRunner().invoke(writer.main, ["tune", "--out", str(tmp_path), "--size", "tiny"])
    assert result.exit_code == 1
    assert "run `pretrain` first" in result.output


def test_a_stage_that_a_size_does_not_have_names_its_stages(tmp_path: Path) -> None:
    result = CliRunner().invoke(writer.main, ["finish", "--out", str(tmp_path), "--size", "large"])
    assert result.exit_code == 1
    assert "its stages are pretrain, tune" in result.output


# -- training --------------------------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(run: steps.Run, tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = Decoder(RECIPES["tiny"].shape).state_dict()
    unbroken = _trained(run, start, tmp_path / "a.pt", pauses=[])
    broken = _trained(run, start, tmp_path / "b.pt", pauses=[1, 3])
    for name, weight in unbroken.state_dict().items():
        assert torch.equal(weight, broken.state_dict()[name]), name


def _trained(run: steps.Run, start: dict[str, torch.Tensor], path: Path, pauses: list[int]) -> Decoder:
    """Train through checkpoints, with a new model and a new trainer after each pause."""
    for pause in [*pauses, STAGE.steps]:
        model = Decoder(RECIPES["tiny"].shape)
        model.load_state_dict(start)
        trainer = Trainer(model, STAGE, mixture(run))
        checkpoints = Checkpoints(path, clock=lambda: 0.0)
        if state := checkpoints.load():
            trainer.restore(state)
        finished = trainer.run(checkpoints, lambda t=trainer, p=pause: t.step >= p, lambda *_: None)  # type: ignore[misc]
    assert finished
    return model


def test_a_checkpoint_of_another_recipe_is_refused(run: steps.Run) -> None:
    model = Decoder(RECIPES["tiny"].shape)
    state = Trainer(model, STAGE, mixture(run)).state()
    with pytest.raises(CheckpointError, match="another recipe"):
        Trainer(model, replace(STAGE, rate=1.0), mixture(run)).restore(state)


def test_questions_about_one_item_are_computed_as_if_each_stood_alone(run: steps.Run, model: Decoder) -> None:
    rows = load_rows(run.data("sheets-train.npz"))
    ids, marks = next(rows.row(n) for n in range(len(rows)) if rows.row(n)[1].max() >= 6)
    together = sheet_batch([(ids, marks)], 0.0, np.random.default_rng(0))
    hidden = model(together.ids, together.places, together.mask())[0, : len(ids)]
    branch = marks >> 1
    for n in range(1, int(branch.max()) + 1):
        alone = np.flatnonzero((branch == 0) | (branch == n))
        expected = model(torch.from_numpy(ids[alone].astype(np.int64))[None])[0]
        assert torch.allclose(hidden[alone], expected, atol=1e-4)


def test_only_answers_count_in_tuning_and_first_tokens_follow_nothing(run: steps.Run) -> None:
    rows = load_rows(run.data("sheets-train.npz"))
    ids, marks = rows.row(0)
    tuned = sheet_batch([(ids, marks)], 0.0, np.random.default_rng(0)).weights[0, : len(ids)].numpy()
    assert np.array_equal(tuned > 0, (marks & 1).astype(bool))
    everything = sheet_batch([(ids, marks)], 1.0, np.random.default_rng(0)).weights[0, : len(ids)].numpy()
    begins = np.flatnonzero(np.diff(marks >> 1)) + 1
    assert (everything[begins] == 0).all()
    assert (everything > 0).sum() == len(ids) - 1 - len(begins)


def test_every_row_is_read_once_in_a_pass(run: steps.Run) -> None:
    rows = load_rows(run.data("sheets-train.npz"))
    read = sum(len(batch.ids) for batch in mixture(run, text_share=0.0).answers())
    assert read == len(rows)


def test_a_stage_reads_its_share_of_papers(run: steps.Run) -> None:
    rows, papers = (load_rows(run.data(f"{kind}-train.npz")) for kind in ("sheets", "papers"))
    assert 0 < len(papers) < len(rows)
    stage = replace(RECIPES["tiny"].tune, papers=0.5, echo=0.0)
    mixed = Mixture(load_stream(run.data("texts-train.bin")), rows, stage, run.recipe.shape, papers)
    known = {tuple(np.trim_zeros(papers.row(n)[0], "b").tolist()) for n in range(len(papers))}
    only = [all(tuple(np.trim_zeros(i.numpy(), "b").tolist()) in known for i in mixed.batch(n).ids) for n in range(20)]
    assert only[1::2] == [True] * 10
    assert not all(only[::2])


def test_a_share_of_the_prompts_counts_beside_all_answers(run: steps.Run) -> None:
    rows = load_rows(run.data("sheets-train.npz"))
    chosen = [rows.row(n) for n in range(20)]
    everything = sheet_batch(chosen, 1.0, np.random.default_rng(1)).weights
    answers = sheet_batch(chosen, 0.0, np.random.default_rng(1)).weights
    some = sheet_batch(chosen, 0.25, np.random.default_rng(1)).weights
    assert torch.equal(some, sheet_batch(chosen, 0.25, np.random.default_rng(1)).weights)
    assert (some >= answers).all()
    assert (some <= everything).all()
    drawn = float((some - answers).sum() / (everything - answers).sum())
    assert drawn == pytest.approx(0.25, abs=0.05)


def test_echoes_copy_any_tokens_and_only_the_copy_counts(run: steps.Run) -> None:
    mixed = mixture(run)
    echoes = []
    for number in range(40):
        batch = mixed.batch(number)
        copied = int((batch.weights[0] > 0).sum()) + 1
        if batch.ids.shape[1] >= 2 * copied and torch.equal(batch.ids[:, :copied], batch.ids[:, -copied:]):
            echoes.append(number)  # the first token of a copy is not known to be one, so it does not count
            counted = batch.weights.nonzero(as_tuple=True)[1].unique()
            assert torch.equal(counted, torch.arange(batch.ids.shape[1])[-copied + 1 :])
    assert len(echoes) == int(STAGE.echo * 40)


def test_echoes_take_no_rows_from_the_others(run: steps.Run) -> None:
    """With echoes between them, text and examples come in the same order as without."""
    stream, rows = load_stream(run.data("texts-train.bin")), load_rows(run.data("sheets-train.npz"))
    plain, mixed = (
        Mixture(stream, rows, replace(STAGE, echo=share, prompt_share=0.0), run.recipe.shape) for share in (0.0, 0.25)
    )
    others = [n for n in range(16) if int((n + 1) * 0.25) == int(n * 0.25)]
    assert len(others) == 12
    for place, number in enumerate(others):
        assert torch.equal(mixed.batch(number).ids, plain.batch(place).ids)


def test_tokens_that_no_answer_holds_stay_copyable(run: steps.Run) -> None:
    """With a table that learns as fast as the rest and no echoes they are pushed away from all others."""

    def copied(stage: Stage) -> float:
        model = Decoder(run.recipe.shape)
        start_copying(model, seed=1)
        rows = load_rows(run.data("sheets-train.npz"))
        trainer = Trainer(model, stage, Mixture(load_stream(run.data("texts-train.bin")), rows, stage, model.shape))
        for _ in range(60):
            trainer.update()
        once = torch.randint(1, model.shape.vocabulary, (16, 40), generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            guess = model.logits(model(torch.cat([once, once], 1))).argmax(-1)
        return float((guess[:, 41:-1] == once[:, 2:]).float().mean())

    stage = replace(RECIPES["tiny"].tune, rate=1e-3, echo=0.2)
    assert copied(stage) > copied(replace(stage, echo=0.0, table_rate=1.0)) + 0.2


def test_the_first_two_tokens_of_each_answer_weigh_more(run: steps.Run) -> None:
    rows = load_rows(run.data("sheets-train.npz"))
    ids, marks = rows.row(0)
    weights = sheet_batch([(ids, marks)], 0.0, np.random.default_rng(0), opening=4.0).weights[0, : len(ids)].numpy()
    for branch in range(1, int(marks.max() >> 1) + 1):
        answer = weights[marks == 2 * branch + 1]
        assert answer[:2].tolist() == [4.0, 4.0]
        assert (answer[2:] == 1.0).all()
    assert (weights[(marks & 1) == 0] == 0).all()


# -- first weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_first_weights_repeat_what_they_have_read_once(size: str) -> None:
    """Random tokens, twice: nothing but copying can tell the second half; random weights cannot."""
    shape = RECIPES[size].shape
    generator = torch.Generator().manual_seed(3)
    once = torch.randint(1, shape.vocabulary, (16, 40), generator=generator)
    twice = torch.cat([once, once], 1)

    def copied(model: Decoder) -> float:
        with torch.no_grad():
            guess = model.logits(model(twice)).argmax(-1)
        return float((guess[:, 41:-1] == twice[:, 42:]).float().mean())

    model = Decoder(shape)
    assert copied(model) < 0.05
    start_copying(model, seed=1)
    assert copied(model) > 0.7
    same = Decoder(shape)
    start_copying(same, seed=1)
    assert torch.equal(model.token_embd.weight, same.token_embd.weight)


# -- what the app sees -----------------------------------------------------------------------------------------------


def test_llama_cpp_cuts_texts_into_the_same_tokens(run: steps.Run, host: Host) -> None:
    tokenizer = load_tokenizer(run.out / "tokenizer.json")
    app = LlamaWriter(run.gguf, host)
    for text in AWKWARD:
        prompt = prompts.blurb("A title", text, "plain")
        before, after = prompt_ids(tokenizer, prompt)
        assert app.tokens(prompt) == [*before, *after], text
        assert END_ID not in before


def test_what_training_reads_is_what_the_app_asks(run: steps.Run, host: Host) -> None:
    """A row begins with the very ids the model process makes of the prompt that the engine builds."""
    sheet = next(s for s in steps.read_sheets(run.data("sheets-train.jsonl")) if len(s.answers) > 2)
    rows = steps.encode_sheets([sheet], load_tokenizer(run.out / "tokenizer.json"), 512)
    ids, marks = rows.row(0)
    app = LlamaWriter(run.gguf, host)
    for n, answer in enumerate(sheet.answers, 1):
        asked = app.tokens(Prompt(sheet.system, sheet.item, answer.ask))
        here = np.flatnonzero((marks == 0) | (marks == 2 * n))
        assert ids[here].tolist() == asked
        written = ids[marks == 2 * n + 1]
        assert written[-1] == END_ID


def test_logits_agree_with_pytorchs(run: steps.Run, model: Decoder, tmp_path: Path) -> None:
    from llmrec.models.llama import DecoderContext, Weights

    path = export(model, run.out / "tokenizer.json", tmp_path / "f32.gguf", "F32")
    tokenizer = load_tokenizer(run.out / "tokenizer.json")
    weights = Weights(str(path), path.name)
    context = DecoderContext(weights, 256, 128, 1)
    for text in AWKWARD:
        ids = tokenizer.encode(text).ids[:100]
        assert weights.tokenize(text, special=False)[:100] == ids
        context.keep(0)
        context.read(ids, 0, logits_from=0)
        theirs = np.stack([context.logits(n).copy() for n in range(len(ids))])
        with torch.no_grad():
            ours = model.logits(model(torch.tensor([ids])))[0].numpy()
        assert np.abs(theirs - ours).max() < 1e-2
    assert weights.tokenize(f"a{END}", special=True)[-1] == END_ID
    assert weights.ends(END_ID)
    context.close()
    weights.close()


@pytest.mark.parametrize(("kind", "near"), [("F32", 1e-2), ("F16", 2e-2), ("Q8_0", 0.1)])
def test_every_kind_writes_and_scores_through_the_model_process(
    run: steps.Run, model: Decoder, tmp_path: Path, host: Host, kind: Kind, near: float
) -> None:
    """Mean log-probabilities of the app are PyTorch's, and a stream ends without control tokens."""
    app = LlamaWriter(export(model, run.out / "tokenizer.json", tmp_path / "small.gguf", kind), host)
    prompt, text = prompts.blurb("Night in Bergen", "A baker finds letters. They are old.", "plain"), "It is old."
    tokenizer = load_tokenizer(run.out / "tokenizer.json")
    before, after = prompt_ids(tokenizer, prompt)
    written = tokenizer.encode(prompts.answer(text)).ids
    with torch.no_grad():
        logits = model.logits(model(torch.tensor([[*before, *after, *written]])))[0]
    logs = torch.log_softmax(logits[-len(written) - 1 : -1], -1)
    expected = float(logs[torch.arange(len(written)), torch.tensor(written)].mean())
    assert app.score(prompt, [text])[0] == pytest.approx(expected, abs=near)
    pieces = list(app.stream(prompt, max_tokens=12, temperature=2.0))
    assert END not in "".join(pieces)


# -- shipping --------------------------------------------------------------------------------------------------------


def test_only_a_file_that_has_passed_ships(run: steps.Run, tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="does not pass"):
        steps.ship(run, tmp_path)
    assert list(tmp_path.iterdir()) == []
    asked = ["export", "--ship", "--corpus", str(run.corpus), "--out", str(run.out.parent), "--size", "tiny"]
    refused = CliRunner().invoke(writer.main, asked)
    assert refused.exit_code == 1
    assert "does not pass, so it does not ship" in refused.output
    kept = (run.out / "evaluation.json").read_text("utf-8")
    found = json.loads(kept)
    passed = Evaluation(found["sha256"], {}, [Line("a", "b", 1.0, True)])
    try:
        passed.save(run.out / "evaluation.json")
        assert steps.ship(run, tmp_path).read_bytes() == run.gguf.read_bytes()
        replace(passed, sha256="0" * 64).save(run.out / "evaluation.json")
        with pytest.raises(ModelRejected, match="not the file that was evaluated"):
            steps.ship(run, tmp_path)
        replace(passed, lines=[]).save(run.out / "evaluation.json")
        with pytest.raises(ModelRejected):
            steps.ship(run, tmp_path)
    finally:
        (run.out / "evaluation.json").write_text(kept, "utf-8")
