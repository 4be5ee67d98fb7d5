"""Screens: each asks the engine in workers, handles their messages, and sets what its widgets show."""
