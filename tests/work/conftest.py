"""The work is tested on every database, as the store is."""

from tests.store.conftest import engine, fresh_database, migrated, url

__all__ = ["engine", "fresh_database", "migrated", "url"]
