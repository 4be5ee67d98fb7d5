"""The one registry of what a user can do: keys, words and tooltips.

Bindings, the footer, the help and the palette are all made from it, so they cannot disagree.
"""

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does."""

    id: str
    """Stable name, for keymaps."""
    keys: str
    """Keys as Textual names them, the one to show first."""
    call: str
    """The action that runs: "mark('like')"."""
    words: str
    """One or two words for the footer."""
    tooltip: str
    """A sentence for help and palette."""
    shown: str = ""
    """How the key is written, where its name is not how people write it."""

    def binding(self) -> Binding:
        """The Textual binding of this action."""
        return Binding(self.keys, self.call, self.words, tooltip=self.tooltip, id=self.id)

    @property
    def key(self) -> str:
        """The first key."""
        return self.keys.split(",")[0]

    @property
    def sign(self) -> str:
        """The key as the footer writes it."""
        return self.shown or self.key


def bindings(actions: tuple[Action, ...]) -> list[BindingType]:
    """Bindings of several actions."""
    return [action.binding() for action in actions]


MOVES = (
    Action("row.down", "j,down", "step(1)", "down", "Next row; a number before it repeats: 5j"),
    Action("row.up", "k,up", "step(-1)", "up", "Row above; a number before it repeats: 5k"),
    Action("row.half_down", "ctrl+d", "leap(0.5)", "half page down", "Half a page down"),
    Action("row.half_up", "ctrl+u", "leap(-0.5)", "half page up", "Half a page up"),
    Action("row.page_down", "pagedown", "leap(1.0)", "page down", "A page down"),
    Action("row.page_up", "pageup", "leap(-1.0)", "page up", "A page up"),
    Action("row.first", "home", "end(False)", "first row", "First row; also gg", "gg"),
    Action("row.last", "G,end", "end(True)", "last row", "Last row; a number before it goes to that row: 12G", "G"),
)

SCROLLS = (
    Action("page.line_down", "j,down", "step(1)", "down", "Scroll down"),
    Action("page.line_up", "k,up", "step(-1)", "up", "Scroll up"),
    Action("page.half_down", "ctrl+d", "leap(0.5)", "half page down", "Half a page down"),
    Action("page.half_up", "ctrl+u", "leap(-0.5)", "half page up", "Half a page up"),
    Action("page.down", "space,pagedown", "leap(1.0)", "page down", "A page down"),
    Action("page.up", "b,pageup", "leap(-1.0)", "page up", "A page up"),
    Action("page.first", "g,home", "end(False)", "beginning", "To the beginning"),
    Action("page.last", "G,end", "end(True)", "end", "To the end"),
)

OPEN = Action("item.open", "enter,o", "open", "open", "Read the whole text; opening counts a little", "↵")
BROWSE = Action("item.browse", "o,enter", "browse", "browser", "Show the address and open it in the browser")
LIKE = Action("item.like", "l,+", "mark('like')", "like", "Like it: more of this, now")
DISLIKE = Action("item.dislike", "d,-", "mark('dislike')", "dislike", "Dislike it: less of this; the row leaves")
SAVE = Action("item.save", "s", "mark('save')", "save", "Save it for later; the strongest sign of interest")
SKIP = Action("item.skip", "x", "mark('skip')", "skip", "Skip it: not now; the row leaves")
UNDO = Action("undo", "u", "undo", "undo", "Take back the last thing done, as often as you like")
REDO = Action("redo", "ctrl+r", "redo", "redo", "Do again what was taken back", "^r")
WHY = Action("item.why", "w", "why", "why", "Why it stands where it stands, and what if")
FRESH = Action("item.half_life", "h", "half_life", "stays fresh", "How long it stays worth reading: 2 days to years")
NEXT_TEXT = Action("item.next_text", "c", "next_text", "next text", "Show the next candidate text of this item")
COPY = Action("item.copy", "y", "copy", "copy", "Copy address or text to the clipboard")
FILTER = Action("filter", "/", "filter", "filter", "Show only what matches; stays until esc", "/")
NEXT_DOMAIN = Action("domain.next", "tab", "domain(1)", "domain", "Next part of the catalogue")
LAST_DOMAIN = Action("domain.previous", "shift+tab", "domain(-1)", "previous domain", "Part of the catalogue before")
INTERESTS = Action("interests", "i", "interests", "interests", "What the list is built on, yours to change")
TIME = Action("time", "t", "time_machine", "time machine", "The list as of an earlier day, and what if")
MODELS = Action("models", "m", "app.models", "models", "Models: which rank and write, here and to be had")
COMMAND = Action("steer", ":", "steer", "steer", 'Steer by words: "more sailing", "less politics this week"', ":")
HELP = Action("help", "?", "help", "help", "Every key that works here; type to find, enter to run", "?")
QUIT = Action("quit", "q", "app.quit", "quit", "Leave; everything is already saved")
BACK = Action("back", "escape", "back", "back", "Go back; nothing is lost", "esc")
LEAVE = Action("leave", "escape,q", "back", "back", "Go back", "esc")

BOOST = Action("interest.boost", "+", "control('boost')", "boost", "Boost this interest", "+")
LESS = Action("interest.less", "-", "control('less')", "less", "Less of this interest", "-")
FREEZE = Action("interest.freeze", "f", "control('freeze')", "freeze", "Freeze it: it stops fading; again lets it fade")
SNOOZE = Action("interest.snooze", "z", "snooze", "snooze", "Snooze it for one day or seven")
FORGET = Action("interest.forget", "X", "forget", "forget", "Forget it and see what else that changes; u undoes")
SPLIT = Action("interest.split", "S", "control('split')", "split", "Split it in two")
RESET = Action("interest.reset", "r", "control('reset')", "reset", "Take back every correction of this interest")
ADD = Action("interest.add", "a", "add", "add", 'Type what you like: "sailing, jazz, astronomy"')

USE = Action(
    "model.use",
    "enter",
    "use",
    "use",
    "Use it (an encoder ranks once every item has its vector), or do without a writer in use",
    "↵",
)
PULL = Action("model.pull", "p", "pull", "fetch", "Fetch it over the network, after a question; goes on where it was")
STOP = Action("model.stop", "c", "stop", "stop", "Stop a download; what has come is kept")
VERIFY = Action("model.verify", "v", "verify", "verify", "Check header and hash of every model that is here")
SPEED = Action("model.speed", "s", "measure", "speed", "Measure how many tokens a second it does here")
ADD_FILE = Action("model.add", "a", "add", "add file", "Add a .gguf file of yours by its path")
REMOVE_MODEL = Action("model.remove", "X", "remove", "remove", "Delete it, or take a file of yours off the list")

EARLIER = Action(
    "time.earlier", "h,left", "travel(-1)", "earlier", "One event back; a number before it repeats: 5h", "h"
)
LATER = Action("time.later", "l,right", "travel(1)", "later", "One event on; 5l goes five", "l")
OLDEST = Action("time.oldest", "0,home", "travel_to(False)", "oldest", "The oldest event", "0")
NEWEST = Action("time.newest", "$,end", "travel_to(True)", "newest", "The newest event", "$")
REMOVE = Action("time.remove", "enter,X", "remove", "remove", "Remove this event from the log; u brings it back", "↵")

LIST_ACTIONS = (
    OPEN, LIKE, DISLIKE, SAVE, SKIP, WHY, UNDO, FILTER, NEXT_DOMAIN, INTERESTS, TIME, ADD, COMMAND, NEXT_TEXT, FRESH,
    MODELS, COPY, REDO, LAST_DOMAIN, BACK, HELP, QUIT,
)  # fmt: skip
READER_ACTIONS = (BROWSE, LIKE, DISLIKE, SAVE, SKIP, WHY, NEXT_TEXT, FRESH, COPY, UNDO, REDO, LEAVE, HELP)
WHY_ACTIONS = (Action("why.leave", "escape,w,q,enter", "back", "back", "Go back", "esc"),)
HELP_ACTIONS = (
    Action("help.run", "enter", "run", "run", "Run it", "↵"),
    Action("help.leave", "escape", "dismiss", "back", "Go back", "esc"),
)
MODEL_ACTIONS = (USE, PULL, STOP, VERIFY, SPEED, ADD_FILE, REMOVE_MODEL, LEAVE, HELP)
INTEREST_ACTIONS = (BOOST, LESS, FREEZE, SNOOZE, FORGET, SPLIT, ADD, RESET, UNDO, REDO, LEAVE, HELP)
TIME_ACTIONS = (EARLIER, LATER, REMOVE, UNDO, REDO, OLDEST, NEWEST, LEAVE, HELP)
