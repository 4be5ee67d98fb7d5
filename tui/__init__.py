"""The terminal app: shows what the engine ranks, and sends it each key press.

Layer above `llmrec.engine`; knows nothing of SQL, vectors or models.
"""
