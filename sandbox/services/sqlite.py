"""Make SQLite bear concurrent writers, and keep its connections open.

oslo.db opens every transaction with a plain BEGIN. One that reads and then writes fails at once with "database is
locked" if another wrote meanwhile (the busy timeout does not apply to that case): with eight clients in parallel
half of the writes failed. So take the write lock up front, except in enginefacade's reader blocks, which write-ahead
logging lets run beside a writer.

oslo.db gives a SQLite file no pool: each transaction opens a connection and closes it again, and the one that closes
last folds the write-ahead log into the database. Of the time of neutron's requests that was a tenth and more.
"""

import types

import sqlalchemy
from oslo_db.sqlalchemy import enginefacade, engines


def tune() -> None:
    """For every engine that this process will make. Relies on private names of oslo.db: the lock pins it."""
    engines.pool = types.SimpleNamespace(**vars(sqlalchemy.pool) | {"NullPool": _Pool})
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "connect", _pragmas)
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "begin", _begin)
    factory = enginefacade._TransactionFactory
    create_session, create_connection = factory._create_session, factory._create_connection

    def session(self, mode, bind=None):
        if mode is not enginefacade._WRITER and bind is None:
            if not self._started:
                self._start()
            bind = self._writer_engine.execution_options(reader=True)
        return create_session(self, mode, bind)

    def connection(self, mode):
        made = create_connection(self, mode)
        return made if mode is enginefacade._WRITER else made.execution_options(reader=True)

    factory._create_session = session
    factory._create_connection = connection


class _Pool(sqlalchemy.pool.QueuePool):
    """Keeps as many connections open as there were ever used at once; never makes one wait for another."""

    def __init__(self, creator, **options):
        super().__init__(creator, pool_size=0, **options)


def _pragmas(connection, _record) -> None:
    # synchronous=OFF survives a killed process; a killed machine may cost the data, which `up` notices.
    if type(connection).__module__.startswith("sqlite3"):
        # The wait for the write lock is not fair, and on a loaded machine (8 clients, load 20) one of 30 s ran out.
        for pragma in "busy_timeout=300000", "journal_mode=WAL", "synchronous=OFF":
            connection.execute(f"PRAGMA {pragma}")


def _begin(connection) -> None:
    # Runs before oslo.db's own listener, which does nothing once this key is set.
    if connection.dialect.name == "sqlite" and "in_transaction" not in connection.info:
        reader = connection.get_execution_options().get("reader")
        connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")
        connection.info["in_transaction"] = True
