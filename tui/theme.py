"""Our own dark and light theme: quiet greys, one accent, and green and red that also differ in brightness."""

from textual.theme import Theme

DARK = Theme(
    name="llmrec",
    primary="#7aa2c9",
    secondary="#8fa7b5",
    accent="#e0b46a",
    foreground="#d6d9dc",
    background="#15181b",
    surface="#1b1f23",
    panel="#262c32",
    success="#8fc38a",
    warning="#e0b46a",
    error="#e08a80",
    dark=True,
    variables={
        "block-cursor-background": "#2f3b46",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#252d34",
        "footer-key-foreground": "#e0b46a",
        "input-selection-background": "#7aa2c9 40%",
    },
)
LIGHT = Theme(
    name="llmrec-light",
    primary="#2f5f8a",
    secondary="#4d6472",
    accent="#8a5a00",
    foreground="#22272b",
    background="#fbfaf7",
    surface="#f2f0eb",
    panel="#e6e3dc",
    success="#2f6b2b",
    warning="#8a5a00",
    error="#a3372b",
    dark=False,
    variables={
        "block-cursor-background": "#d5dfe8",
        "block-cursor-foreground": "#000000",
        "block-cursor-blurred-background": "#e4e9ed",
        "footer-key-foreground": "#8a5a00",
        "input-selection-background": "#2f5f8a 30%",
    },
)
