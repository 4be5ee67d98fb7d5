"""The shelf of models: what is here, what can be had, and which of them rank and write."""

from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical

from llmrec.engine import ModelRow, Progress
from llmrec.engine.wording import count
from llmrec.tui import actions
from llmrec.tui.messages import Failed, Pulled, Pulling, ShelfChanged, ShelfRead, StatusRead, Verified
from llmrec.tui.screens.base import EngineScreen
from llmrec.tui.screens.choice import Answer
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.header import Header, title_bits
from llmrec.tui.widgets.note_line import NoteLine
from llmrec.tui.widgets.one_line import Bit, OneLine
from llmrec.tui.widgets.prompt import Prompt
from llmrec.tui.widgets.shelf_list import ShelfList, bytes_in_words, heading, key_of, part, pull_words

_HINT = "encoders rank, writers make texts; nothing is fetched unasked"


class ModelsScreen(EngineScreen, inherit_bindings=False):
    """Models, each with its keys."""

    BINDINGS = actions.bindings(actions.MODEL_ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._read: ShelfRead | None = None
        self._faults: dict[str, str] = {}
        self._pulls: dict[str, Pulling] = {}
        self._progress: Progress | None = None
        self._go_to = ""

    def compose(self) -> ComposeResult:
        """Header, models, input line, note, keys."""
        yield Header(id="header")
        with Container(id="body"), Vertical(id="left"):
            yield OneLine(id="columns")
            yield ShelfList(id="list")
        yield Prompt(id="prompt")
        yield NoteLine(id="note")
        yield KeyLine(actions.MODEL_ACTIONS, id="keys")

    def on_mount(self) -> None:
        """Say what the screen is for."""
        self._list = self.query_one(ShelfList)
        self._list.pulls, self._list.faults = self._pulls, self._faults
        self._list.at_once = {"a": self.action_add}
        self._note = self.query_one(NoteLine)
        self._note.note(_HINT)
        self._draw_progress()
        self.query_one(Header).show([*title_bits("Models"), Bit("what ranks and writes here", "quiet", drop=2)])

    def on_screen_resume(self) -> None:
        """Look at the shelf again: another program may have changed it."""
        self._list.focus()
        self._look()

    def on_resize(self, event: events.Resize) -> None:
        """Two lines per model where there is room."""
        self.query_one(ShelfList).row_height = 2 if event.size.height >= 18 and event.size.width >= 60 else 1

    @on(ShelfList.Sized)
    def _sized(self) -> None:
        width = self._list.scrollable_content_region.width
        self.query_one("#columns", OneLine).show([Bit(heading(width), "quiet")])

    def _look(self) -> None:
        self.ask(self.desk.asks.models, group="models")

    # What comes back.

    def on_shelf_read(self, message: ShelfRead) -> None:
        """The shelf as it is now."""
        self._read = message
        self._list.show(message.rows, message.status, at=self._go_to)
        self._go_to = ""

    def on_shelf_changed(self, message: ShelfChanged) -> None:
        """A model was put to use, added, removed or measured."""
        self._note.note(message.says)
        self._go_to = message.name
        self._look()

    def on_status_read(self, message: StatusRead) -> None:
        """Other models may be in use: the list's screen and the app act on it."""
        message.stop()
        self.desk.for_you.post_message(StatusRead(message.status))

    def on_verified(self, message: Verified) -> None:
        """A file was checked."""
        self._faults[key_of(message.row)] = message.fault
        bad = [fault for fault in self._faults.values() if fault]
        good = f"{count(len(self._faults) - len(bad), 'file')} whole"
        self._note.note(f"{good}, {len(bad)} damaged: {bad[0]}" if bad else good, bad=bool(bad))
        self._list.refresh()

    def on_failed(self, message: Failed) -> None:
        """One clear line: here while this screen is in front, else on the list."""
        if self.app.screen is self:
            self._note.note(message.text, bad=True)
        else:
            super().on_failed(message)

    def pulling(self, message: Pulling) -> None:
        """A download goes on."""
        self._pulls[message.name] = message
        if self.is_mounted:
            self._list.refresh()

    def pulled(self, message: Pulled) -> None:
        """A download has ended."""
        self._pulls.pop(message.name, None)
        if self.is_mounted:
            self._note.note(pulled_words(message), bad=message.error is not None and not message.stopped)
            self._go_to = message.name
            self._look()

    def progress(self, progress: Progress | None) -> None:
        """Vectors are being made; at their end another encoder may rank."""
        self._progress = progress
        if self.is_mounted:
            self._draw_progress()
            if progress is None:
                self._look()

    def _draw_progress(self) -> None:
        progress = self._progress
        self._note.progress(progress)
        self._list.made = part(progress.done, progress.total) if progress is not None else ""
        self._list.refresh()

    def switched(self, words: str) -> None:
        """Another encoder ranks."""
        if self.is_mounted:
            self._note.note(words)

    # Keys.

    @property
    def _current(self) -> ModelRow | None:
        return self._list.current

    @on(ShelfList.Chosen)
    def action_use(self) -> None:
        """Use it, or ask to fetch it first; a writer that is in use is put out of use."""
        model = self._current
        if model is None:
            return
        if model.path is None:
            self.action_pull()
            return
        if model.kind == "writer" and model.used:
            self.ask(partial(self.desk.asks.use_no_writer, model.name), group="use")
            return
        self._note.note(f"looking at {model.name}")
        self.ask(partial(self.desk.asks.use_model, key_of(model)), group="use")

    def action_pull(self) -> None:
        """Ask before the network is used."""
        model = self._current
        if model is None or self._read is None:
            return
        if model.path is not None and not (model.entry and self._faults.get(key_of(model))):
            self._note.note(f"{model.name} is here; there is nothing to fetch")
            return
        if model.name in self._pulls:
            self._note.note(f"{model.name} is on its way: {pull_words(self._pulls[model.name])}")
            return
        source = f"{self._read.hub}/{model.entry.repo}" if model.entry else self._read.hub
        left = f"{bytes_in_words(model.size - model.part)} of it, {part(model.part, model.size)} is here"
        much = left if model.part else bytes_in_words(model.size)
        about = f"{much} from {source}\n{' · '.join(fact for fact in (model.licence, model.use) if fact)}"
        question = self.desk.choice.put(f"Fetch {model.name} over the network?", about, [Answer("y", "fetch", "y")])
        self.app.push_screen(question, partial(self._pull, model.name))

    def _pull(self, name: str, answer: str | None) -> None:
        if answer and self.desk.downloads.start(name):
            self._note.note(f"fetching {name}; leave this screen as you like, it goes on")

    def action_stop(self) -> None:
        """Stop the download under the cursor, or the only one."""
        names = [self._current.name] if self._current is not None and self._current.name in self._pulls else []
        for name in names or list(self._pulls)[:1]:
            if self.desk.downloads.stop(name):
                self._note.note(f"stopping {name}")
                return
        self._note.note("nothing is being fetched")

    def action_verify(self) -> None:
        """Check all files."""
        self._faults.clear()
        self._note.note("checking header and hash of each file")
        self.ask(self.desk.asks.verify_models, group="verify")

    def action_measure(self) -> None:
        """Measure the speed of one."""
        model = self._current
        if model is None or model.path is None:
            self._note.note("only what is here can be measured: p fetches it")
            return
        self._note.note(f"measuring {model.name}")
        self.ask(partial(self.desk.asks.measure_model, key_of(model)), group="measure")

    def action_add(self) -> None:
        """Type the path of a file."""
        self.query_one(Prompt).ask("add", "file", "path of a .gguf file, such as ~/models/writer.gguf")

    @on(Prompt.Entered)
    def _entered(self, event: Prompt.Entered) -> None:
        if event.words:
            self.ask(partial(self.desk.asks.add_model, event.words), group="use")

    def action_remove(self) -> None:
        """Ask, then remove."""
        model = self._current
        if model is None or model.path is None or self._read is None:
            self._note.note("only what is here can be removed")
            return
        if model.origin == "bundled":
            self._note.note(f"{model.name} came with the program, so it stays")
            return
        deletes = key_of(model) in self._read.deletable
        what = f"Delete {model.name}?" if deletes else f"Take {model.name} off the list?"
        used = "It is in use; the bundled one takes its place.\n" if model.used else ""
        about = f"{used}{model.path}" if deletes else f"{used}The file itself is left alone: {model.path}"
        question = self.desk.choice.put(what, about, [Answer("y", "delete" if deletes else "take off", "y")])
        self.app.push_screen(question, partial(self._remove, key_of(model)))

    def _remove(self, key: str, answer: str | None) -> None:
        if answer:
            self.ask(partial(self.desk.asks.remove_model, key), group="use")


def pulled_words(message: Pulled) -> str:
    """How a download ended."""
    return f"{message.name} is here: enter puts it to use" if message.error is None else str(message.error)
