"""The schema as a list of steps, append-only: a step that has been released is never edited.

Plain SQL text, run by `store` through sqlite-utils' migrations (each step in one transaction with its own record).
"""

STEPS: tuple[tuple[str, str], ...] = (
    (
        "m001_items_events_vectors_texts_settings",
        """
        CREATE TABLE item (
            row INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            text TEXT NOT NULL,
            url TEXT,
            source TEXT NOT NULL,
            tags TEXT NOT NULL,
            published_at REAL,
            domain TEXT NOT NULL,
            extra TEXT NOT NULL,
            content_hash BLOB NOT NULL
        ) STRICT;
        CREATE INDEX item_domain ON item(domain);

        CREATE TABLE event (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user TEXT NOT NULL,
            item TEXT,
            kind TEXT NOT NULL,
            at REAL NOT NULL,
            value REAL,
            undoes INTEGER REFERENCES event(id),
            payload TEXT
        ) STRICT;
        CREATE INDEX event_user ON event(user, id);
        CREATE TRIGGER event_is_append_only_u BEFORE UPDATE ON event
            BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
        CREATE TRIGGER event_is_append_only_d BEFORE DELETE ON event
            BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

        CREATE TABLE vector (
            model TEXT NOT NULL,
            hash BLOB NOT NULL,
            vec BLOB NOT NULL,
            PRIMARY KEY (model, hash)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE written (
            item TEXT NOT NULL,
            model TEXT NOT NULL,
            state TEXT NOT NULL,
            content_hash BLOB NOT NULL,
            payload TEXT NOT NULL,
            PRIMARY KEY (item, model, state)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE half_life (item TEXT PRIMARY KEY, seconds REAL NOT NULL, by TEXT NOT NULL) STRICT, WITHOUT ROWID;

        CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

        CREATE VIRTUAL TABLE item_words USING fts5(
            title, text, tags, content='item', content_rowid='row', tokenize="unicode61 remove_diacritics 2"
        );
        """,
    ),
)
