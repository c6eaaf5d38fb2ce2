"""What Alembic runs: always on a connection that pbxmonitor.store.migrate has made (`pbxmonitor db upgrade`)."""

from alembic import context

from pbxmonitor.store.schema import METADATA

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run the migrations with: pbxmonitor db upgrade")

context.configure(connection=connection, target_metadata=METADATA, compare_type=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
