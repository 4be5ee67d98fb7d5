"""Widgets: they show reactives and post messages; none of them sees the engine."""
