"""Make SQLite work with concurrent writers, and keep its connections open.

oslo.db opens every transaction with a plain BEGIN. A transaction that reads and then writes fails at once with
"database is locked" if another one has written in between; the busy timeout does not apply to that case. With eight
clients in parallel, half of the writes failed. So each transaction takes the write lock at its start, except for
enginefacade's reader blocks, which can run beside a writer with write-ahead logging.

oslo.db uses no connection pool for a SQLite file: each transaction opens a connection and closes it again, and the last
one to close merges the write-ahead log into the database. This took a tenth or more of the time of neutron's requests.
"""

import types

import sqlalchemy
from oslo_db.sqlalchemy import enginefacade, engines


def tune() -> None:
    """Change every engine that this process makes from now on.

    This uses private names of oslo.db, which requirements.txt pins.
    """
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
    """Keeps all connections open that were ever in use at the same time, and has no upper limit."""

    def __init__(self, creator, **options):
        super().__init__(creator, pool_size=0, **options)


def _pragmas(connection, _record) -> None:
    # synchronous=OFF is safe if a process is killed. If the machine crashes, data may be lost, which `up` detects.
    if type(connection).__module__.startswith("sqlite3"):
        # The write lock is not fair: on a busy machine (8 clients, load 20) a wait of 30 s was not enough.
        for pragma in "busy_timeout=300000", "journal_mode=WAL", "synchronous=OFF":
            connection.execute(f"PRAGMA {pragma}")


def _begin(connection) -> None:
    # Runs before oslo.db's own listener, which does nothing once this key is set.
    if connection.dialect.name == "sqlite" and "in_transaction" not in connection.info:
        reader = connection.get_execution_options().get("reader")
        connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")
        connection.info["in_transaction"] = True
