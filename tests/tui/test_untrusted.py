"""Untrusted text: no markup is read, no action runs, and the code has no way to draw raw strings."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import llmrec.tui
from llmrec.engine import clean
from llmrec.tui.text import Part, fit, laid_out, line, safe
from tests.tui.conftest import Opened
from tests.tui.fake import FakeEngine
from tests.tui.play import ATTACKS, hostile_items, hostile_text

SOURCES = sorted(Path(llmrec.tui.__file__).parent.rglob("*.py"))
FORBIDDEN = {chr(c) for c in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)}
texts = st.text() | st.builds(hostile_text, st.integers(0, 10_000)) | st.sampled_from(ATTACKS)


# Markup and actions.


async def test_no_text_is_markup_and_no_click_runs_what_a_text_says(opened: Opened) -> None:
    """Every screen is clicked all over while each text offers an action to click on."""
    ran: list[str] = []
    items = hostile_items(30)
    async with opened(FakeEngine(items=items), size=(100, 30)) as ui:
        real = ui.app.run_action

        async def spy(action: object, *more: object, **options: object) -> bool:
            ran.append(str(action))
            return await real(action, *more, **options)  # type: ignore[arg-type]

        ui.app.run_action = spy  # type: ignore[method-assign,assignment]
        for keys in ([], ["w"], ["escape", "enter"], ["escape", "i"], ["escape", "t"], ["escape"]):
            await ui.press(*keys)
            for y in range(2, 27, 6):
                for x in range(1, 99, 24):
                    await ui.pilot.click(offset=(x, y))
            await ui.settle()
    assert not [action for action in ran if action.startswith("app.")]


async def test_a_hostile_file_of_items_draws_on_every_screen(opened: Opened) -> None:
    async with opened(FakeEngine(items=hostile_items(60)), size=(100, 30)) as ui:
        for keys in (["l"], ["w"], ["escape", "enter", "G"], ["escape", "i"], ["escape", "t", "h"], ["escape", "?"]):
            await ui.press(*keys)
            assert not set("".join(ui.rows)) & FORBIDDEN
            assert "MARK" in ui.text or ui.app.screen is ui.app.help


@given(st.lists(texts, max_size=5))
def test_a_line_of_parts_holds_no_forbidden_character_and_no_style_of_its_own(parts: list[str]) -> None:
    drawn = line(*parts)
    assert not set(drawn.plain) & (FORBIDDEN - {"\n"})
    assert drawn.spans == []


@given(texts, st.integers(-2, 60))
def test_a_fitted_text_has_exactly_its_width(text: str, width: int) -> None:
    fitted = fit(text, width)
    assert cell_len(fitted) == max(0, width)
    assert cell_len(fit(text, width, pad=False)) <= max(0, width)
    assert not set(fitted) & FORBIDDEN


@given(texts)
def test_safe_is_idempotent_and_agrees_with_clean(text: str) -> None:
    once = safe(text)
    assert safe(once) == once
    assert clean(once) == once.strip(" \n")
    assert not set(laid_out(text)) & (FORBIDDEN - {"\n"})


def test_blanks_at_both_ends_stay_so_that_parts_can_be_joined() -> None:
    parts: list[Part] = ["a ", ("b", "bold"), " c\n", " d"]
    assert line(*parts).plain == "a b c\n d"


# The code itself.


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found.append((name, node))
    return found


def offences(source: str, name: str = "x.py") -> list[str]:
    """What a source file does that could draw a raw string."""
    found = []
    for called, node in calls(ast.parse(source)):
        for keyword in node.keywords:
            raw = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            if keyword.arg == "markup" and not raw:
                found.append(f"{name}:{node.lineno} markup is not False")
        if called in ("from_markup", "Label", "Markdown", "Button", "Pretty"):
            found.append(f"{name}:{node.lineno} {called} reads markup")
        if called in ("Static", "Content", "Text", "assemble") and name != "text.py":
            found.append(f"{name}:{node.lineno} {called} outside text.py")
        if called == "update" and any(isinstance(argument, ast.JoinedStr) for argument in node.args):
            found.append(f"{name}:{node.lineno} f-string into update")
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_source_file_can_draw_a_raw_string(source: Path) -> None:
    assert offences(source.read_text(encoding="utf-8"), source.name) == []


@pytest.mark.parametrize(
    "bad",
    ["Static('x', markup=True)", "Label(title)", "x.update(f'{title}')", "Content.from_markup(t)", "Static(title)"],
)
def test_the_check_finds_what_it_is_for(bad: str) -> None:
    assert offences(bad)


def test_the_check_reads_all_files() -> None:
    assert len(SOURCES) > 20
