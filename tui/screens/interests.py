"""What the list is built on, in words, and the user's hand on it."""

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll

from llmrec.engine import Interest
from llmrec.tui import actions
from llmrec.tui.asks import titles_of
from llmrec.tui.messages import InterestsRead, Ranked
from llmrec.tui.phrases import LIKES, changed, date, difference, quoted, steering
from llmrec.tui.screens.base import EngineScreen
from llmrec.tui.screens.choice import Answer
from llmrec.tui.text import Part, Words
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.header import Header, title_bits
from llmrec.tui.widgets.interest_list import InterestList, heading
from llmrec.tui.widgets.note_line import NoteLine
from llmrec.tui.widgets.one_line import Bit, OneLine
from llmrec.tui.widgets.prompt import Prompt

_HINT = "each key changes the list at once and says how; u takes it back"


class InterestsScreen(EngineScreen, inherit_bindings=False):
    """Interests, strongest first, each with its keys."""

    BINDINGS = actions.bindings(actions.INTEREST_ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._read = InterestsRead([], {})

    def compose(self) -> ComposeResult:
        """Header, interests, what feeds one, input line, note, keys."""
        yield Header(id="header")
        with Container(id="body"):
            with Vertical(id="left"):
                yield OneLine(id="columns")
                yield InterestList(self.desk.clock, id="list")
            with VerticalScroll(id="fed", can_focus=False):
                yield Words(id="lines")
        yield Prompt(id="prompt")
        yield NoteLine(id="note")
        yield KeyLine(actions.INTEREST_ACTIONS, id="keys")

    def on_mount(self) -> None:
        """Say what the keys do."""
        head = [*title_bits("Interests"), Bit("what the list is built on, yours to change", "quiet", drop=2)]
        self.query_one(Header).show(head)
        self.query_one(NoteLine).note(_HINT)
        self.query_one(InterestList).at_once = {"a": self.action_add}

    def on_screen_resume(self) -> None:
        """Draw what is known; the list reads it again after each change."""
        self.take(self._read)
        self.query_one(InterestList).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Three lines per interest where there is room."""
        rows = self.query_one(InterestList)
        rows.row_height = 3 if event.size.height >= 18 and event.size.width >= 60 else 1

    @on(InterestList.Sized)
    def _sized(self) -> None:
        width = self.query_one(InterestList).scrollable_content_region.width
        self.query_one("#columns", OneLine).show([Bit(heading(width), "quiet")])

    def take(self, read: InterestsRead) -> None:
        """The interest model as it is now."""
        self._read = read
        if self.is_mounted:
            self.query_one(InterestList).show(read.interests, read.titles)

    def ranked(self, message: Ranked) -> None:
        """Say how the list changed."""
        if message.change is not None:
            how = difference(message.batch, titles_of(message.items))
            key = actions.REDO if message.change.undone else actions.UNDO
            self.query_one(NoteLine).note(f"{changed(message.change, brief=True)}: {how}", key=key)
        elif message.says:
            self.query_one(NoteLine).note(message.says)

    @on(InterestList.Moved)
    def _moved(self) -> None:
        interest = self.query_one(InterestList).current
        self.query_one("#lines", Words).say(*(self._fed_by(interest) if interest else ()))

    def _fed_by(self, interest: Interest) -> list[Part]:
        parts: list[Part] = [(", ".join(interest.words) + "\n", "bold")]
        parts.append((f"last fed {date(interest.last_fed)}\n\n", "dim"))
        parts.append(("fed by\n" if interest.items else "added by words, fed by no item yet", "dim"))
        known = [self._read.titles[id] for id in interest.items if id in self._read.titles]
        parts += [f"{title}\n" for title in known]
        if len(interest.items) > len(known):
            parts.append((f"and {len(interest.items) - len(known)} more", "dim"))
        return parts

    # Keys.

    @property
    def _current(self) -> Interest | None:
        return self.query_one(InterestList).current

    def action_control(self, action: str) -> None:
        """Change the interest under the cursor."""
        if self._current is not None:
            self.desk.for_you.correct(self._current.id, action)

    def action_snooze(self) -> None:
        """Ask for how long."""
        if self._current is not None:
            words = quoted(", ".join(self._current.words))
            answers = [Answer("1", "one day", "1"), Answer("7", "seven days", "7")]
            question = self.desk.choice.put(f"Snooze {words}", "It counts for nothing until then.", answers)
            self.app.push_screen(question, self._snooze)

    def _snooze(self, days: str | None) -> None:
        if days and self._current is not None:
            self.desk.for_you.correct(self._current.id, "snooze", float(days))

    def action_forget(self) -> None:
        """Forget it."""
        self.action_control("forget")

    def action_add(self) -> None:
        """Type the words of new interests."""
        self.query_one(Prompt).ask("add", "+", LIKES)

    @on(Prompt.Entered)
    def _entered(self, event: Prompt.Entered) -> None:
        if event.words:
            self.desk.for_you.steer(steering(event.words))
