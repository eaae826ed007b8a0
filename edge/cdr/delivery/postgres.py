"""Rows of one PostgreSQL table: batches by COPY into a staging table, then into the table, none twice (I/O).

`uid` is the key: `ON CONFLICT (uid) DO NOTHING`, so that whatever comes again changes nothing. A partitioned table
cannot have that key (PostgreSQL wants the partition's column in it), so it has a narrow table of uids beside it.
The table is made and kept up to date here, under an advisory lock, each step told in `TABLE_migrations`; where it is
complete already no right to change it is needed. Everything of a batch is one transaction.

Imports psycopg 3 (extra `postgres`); nothing else does.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed, Entry
from edge.cdr.delivery.table import missing, month_bounds, month_of, table_columns

CONNECT_S = 10
_DATA = ("22", "23")
"""Classes of SQLSTATE that speak of a record: data that the table does not take, a rule that it breaks."""


class PostgresTable:
    """The consumer of one table."""

    def __init__(self, name: str, dsn: str, *, schema: str, table: str, is_partitioned: bool, timeout_s: float) -> None:
        self.name = name
        self._dsn = dsn
        self._schema = schema
        self._name = table
        self._table = sql.Identifier(schema, table)
        self._uids = sql.Identifier(schema, f"{table}_uids")
        self._migrations = sql.Identifier(schema, f"{table}_migrations")
        self._is_partitioned = is_partitioned
        self._timeout_s = timeout_s
        self._columns = table_columns()
        self._months: set[str] = set()
        self._connection: psycopg.AsyncConnection | None = None

    async def start(self, cursor: int) -> int:
        """Connect, and bring the table up to date."""
        await self.close()
        try:
            self._connection = await psycopg.AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=CONNECT_S,
                application_name="trunkgate",
                options=f"-c statement_timeout={round(self._timeout_s * 1000)} -c timezone=UTC",
            )
            await self._migrate(self._connection)
            await self._connection.execute(
                sql.SQL("CREATE TEMP TABLE staging ({}) ON COMMIT DELETE ROWS").format(self._definitions())
            )
        except psycopg.Error as error:
            raise DeliveryFailed(_why(error)) from error
        return cursor

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """One transaction."""
        connection = self._connection
        if connection is None or connection.closed:
            raise DeliveryFailed("the connection is closed")
        work = asyncio.ensure_future(self._insert(connection, entries))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            # The driver would ask the server to cancel, and wait: a server that hangs does not answer that either.
            work.add_done_callback(_forget)
            _cut(connection)
            raise

    async def _insert(self, connection: psycopg.AsyncConnection, entries: Sequence[Entry]) -> None:
        try:
            if self._is_partitioned:
                await self._make_partitions(connection, entries)
            async with connection.transaction(), connection.cursor() as cursor:
                names = self._names()
                async with cursor.copy(sql.SQL("COPY staging ({}) FROM STDIN").format(names)) as copy:
                    for entry in entries:
                        await copy.write_row([column.cell(entry.record.get(column.source)) for column in self._columns])
                await cursor.execute(self._insertion())
        except psycopg.errors.CheckViolation as error:
            if error.diag.constraint_name is None:  # no rule of anybody's: the partition is not there any more
                raise DeliveryFailed("a partition was dropped that is needed: it is made again") from error
            raise BatchRefused(_why(error)) from error
        except (psycopg.errors.DataError, psycopg.errors.IntegrityError, ValueError) as error:
            raise BatchRefused(_why(error)) from error
        except psycopg.Error as error:
            if (error.sqlstate or "").startswith(_DATA):
                raise BatchRefused(_why(error)) from error
            raise DeliveryFailed(_why(error)) from error

    async def tend(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._months = set()
        if connection is not None:
            await connection.close()

    # -- the table -------------------------------------------------------------------------------------------------

    def _names(self) -> sql.Composed:
        return sql.SQL(", ").join([sql.Identifier(column.name) for column in self._columns])

    def _definitions(self) -> sql.Composed:
        return sql.SQL(", ").join(
            [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in self._columns]
        )

    def _insertion(self) -> sql.Composed:
        names = self._names()
        if not self._is_partitioned:
            return sql.SQL(
                "INSERT INTO {table} ({names}) SELECT {names} FROM staging ORDER BY seq ON CONFLICT (uid) DO NOTHING"
            ).format(table=self._table, names=names)
        return sql.SQL(
            "WITH fresh AS (INSERT INTO {uids} (uid, received_at) SELECT uid, received_at FROM staging"
            " ON CONFLICT (uid) DO NOTHING RETURNING uid)"
            " INSERT INTO {table} ({names}) SELECT DISTINCT ON (uid) {names} FROM staging"
            " WHERE uid IN (SELECT uid FROM fresh) ORDER BY uid, seq"
        ).format(uids=self._uids, table=self._table, names=names)

    async def _present(self, connection: psycopg.AsyncConnection) -> list[str]:
        found = await connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (self._schema, self._name),
        )
        return [str(row[0]) for row in await found.fetchall()]

    async def _migrate(self, connection: psycopg.AsyncConnection) -> None:
        """Make the table, or add what it lacks. Two edges at once do it one after the other."""
        present = await self._present(connection)
        if present and not missing(self._columns, present):
            return
        async with connection.transaction():
            await self._take_turn(connection)
            present = await self._present(connection)
            lacking = missing(self._columns, present)
            if not present:
                await self._create(connection)
            elif lacking:
                for column in lacking:
                    await connection.execute(
                        sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
                            self._table, sql.Identifier(column.name), sql.SQL(column.type)
                        )
                    )
                await self._note(connection, "added " + ", ".join(column.name for column in lacking))

    async def _create(self, connection: psycopg.AsyncConnection) -> None:
        if self._is_partitioned:
            await connection.execute(
                sql.SQL("CREATE TABLE {} (uid text PRIMARY KEY, received_at timestamptz NOT NULL)").format(self._uids)
            )
            shape = "CREATE TABLE {} ({}, PRIMARY KEY (uid, received_at)) PARTITION BY RANGE (received_at)"
        else:
            shape = "CREATE TABLE {} ({}, PRIMARY KEY (uid))"
        await connection.execute(sql.SQL(shape).format(self._table, self._definitions()))
        for name, keys in (("account", "account, received_at"), ("seq", "node, seq"), ("received", "received_at")):
            await connection.execute(
                sql.SQL("CREATE INDEX {} ON {} ({})").format(
                    sql.Identifier(f"{self._name}_{name}"), self._table, sql.SQL(keys)
                )
            )
        await connection.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {} (version integer PRIMARY KEY, applied_at timestamptz NOT NULL"
                " DEFAULT now(), step text NOT NULL)"
            ).format(self._migrations)
        )
        await self._note(connection, f"made with {len(self._columns)} columns")

    async def _note(self, connection: psycopg.AsyncConnection, step: str) -> None:
        await connection.execute(
            sql.SQL("INSERT INTO {0} (version, step) SELECT coalesce(max(version), 0) + 1, %s FROM {0}").format(
                self._migrations
            ),
            (step,),
        )

    async def _make_partitions(self, connection: psycopg.AsyncConnection, entries: Sequence[Entry]) -> None:
        months = {month_of(str(entry.record.get("received_at"))) for entry in entries} - self._months
        for month in sorted(months):
            begin, end = month_bounds(month)
            async with connection.transaction():
                await self._take_turn(connection)  # every edge comes to a new month at once
                await connection.execute(
                    sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                        sql.Identifier(self._schema, f"{self._name}_{month.replace('-', '_')}"),
                        self._table,
                        sql.Literal(begin),
                        sql.Literal(end),
                    )
                )
        self._months |= months

    async def _take_turn(self, connection: psycopg.AsyncConnection) -> None:
        """Whoever changes the table: one after the other, each until the end of its transaction."""
        lock = f"trunkgate {self._schema}.{self._name}"
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))


def _cut(connection: psycopg.AsyncConnection) -> None:
    """Whatever waits for the server wakes up with an error."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _forget(work: "asyncio.Task[None]") -> None:
    if not work.cancelled():
        work.exception()


def _why(error: Exception) -> str:
    """What the server says, without the values of a record: they are in the quarantine, not in the log."""
    if not isinstance(error, psycopg.Error):
        return f"{type(error).__name__}: a value the table cannot hold"
    if error.sqlstate is None:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    about = error.diag.column_name or error.diag.constraint_name or ""
    text = "" if error.sqlstate.startswith(_DATA) else error.diag.message_primary or ""
    return " ".join(filter(None, [type(error).__name__, f"({error.sqlstate})", about, text]))
