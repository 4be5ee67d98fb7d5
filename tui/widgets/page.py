"""A page that the keys of the lists scroll."""

from textual.containers import VerticalScroll

from llmrec.tui.actions import SCROLLS, bindings


class Page(VerticalScroll, can_focus=True, inherit_bindings=False):
    """What is longer than its room, scrolled by lines and pages."""

    BINDINGS = bindings(SCROLLS)

    def action_step(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_relative(y=lines, animate=False)

    def action_leap(self, pages: float) -> None:
        """Scroll by pages."""
        self.scroll_relative(y=round(pages * max(1, self.size.height - 1)), animate=False)

    def action_end(self, last: bool) -> None:
        """Go to the beginning or the end."""
        if last:
            self.scroll_end(animate=False)
        else:
            self.scroll_home(animate=False)
