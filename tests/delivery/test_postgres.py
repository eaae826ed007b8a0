"""edge.cdr.delivery.postgres against a real server."""

import asyncio
import signal
from datetime import UTC, datetime

import psycopg
import pytest
from peers import Delivery, Postgres, entries, line, until, write_log

from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed
from edge.cdr.delivery.postgres import PostgresTable
from edge.cdr.delivery.table import table_columns
from edge.cdr.record import COLUMNS


def table(server: Postgres, *, is_partitioned: bool = False, timeout_s: float = 5.0, dsn: str = "") -> PostgresTable:
    return PostgresTable(
        "billing",
        dsn or server.dsn,
        schema="public",
        table="cdr",
        is_partitioned=is_partitioned,
        timeout_s=timeout_s,
    )


def seqs(server: Postgres) -> list[int]:
    return [int(str(row[0])) for row in server.rows("SELECT seq FROM cdr ORDER BY seq")]


@pytest.mark.parametrize("is_partitioned", [False, True])
async def test_a_record_has_real_types(postgres: Postgres, is_partitioned: bool):
    """Instants with their zone, counts, booleans, arrays; reserved words are column names like others."""
    sink = table(postgres, is_partitioned=is_partitioned)
    assert 0 == await sink.start(0)
    await sink.deliver(entries(1, answered_at=None, called="a\0b\tc\\d\ne", group="g", limit="caps"))
    await sink.close()
    (row,) = postgres.rows(
        'SELECT seq, uid, received_at, answered_at, called, "group", "limit", emergency, shadowed, candidates,'
        " candidate_statuses, tries_ended_at, headers, header_values, candidate_causes FROM cdr"
    )
    at = datetime(2026, 7, 1, 12, 0, 0, 1, tzinfo=UTC)
    assert row == (
        1,
        "uid-1",
        at,
        None,
        "a�b\tc\\d\ne",
        "g",
        "caps",
        False,
        ["word", "é"],
        ["out", "other"],
        [503, 200],
        [at.replace(second=1), None],
        ["privacy", "p-asserted-identity"],
        ["id", "<sip:+33170000001@é>"],
        [42, 16],
    )


@pytest.mark.parametrize("is_partitioned", [False, True])
async def test_whatever_comes_again_changes_nothing(postgres: Postgres, is_partitioned: bool):
    """By uid, also with another number and another time, and within one batch."""
    sink = table(postgres, is_partitioned=is_partitioned)
    await sink.start(0)
    await sink.deliver(entries(1, 2, 3))
    await sink.deliver(entries(2, 3, 4))
    again = entries(5, uid="uid-1", received_at="2026-09-01T00:00:00.000001Z") + entries(6, uid="uid-7") * 2
    await sink.deliver(again)
    await sink.close()
    assert [1, 2, 3, 4, 6] == seqs(postgres)


async def test_a_partition_for_each_month(postgres: Postgres):
    """Made when its first record comes; one is dropped in an instant."""
    sink = table(postgres, is_partitioned=True)
    await sink.start(0)
    for seq, at in (
        (1, "2026-11-30T23:59:59.999999Z"),
        (2, "2026-12-01T00:00:00.000001Z"),
        (3, "2027-01-01T00:00:00Z"),
    ):
        await sink.deliver(entries(seq, received_at=at))
    await sink.close()
    parts = postgres.rows("SELECT tableoid::regclass::text, seq FROM cdr ORDER BY seq")
    assert [("cdr_2026_11", 1), ("cdr_2026_12", 2), ("cdr_2027_01", 3)] == parts
    postgres.run("DROP TABLE cdr_2026_11")
    assert [2, 3] == seqs(postgres)


async def test_all_edges_come_to_a_new_month_at_once(postgres: Postgres):
    """One makes its partition, nobody fails."""
    sinks = [table(postgres, is_partitioned=True) for _ in range(6)]
    await asyncio.gather(*(sink.start(0) for sink in sinks))
    for month in (7, 8, 9):
        at = f"2026-{month:02d}-01T00:00:00.000001Z"
        await asyncio.gather(
            *(sink.deliver(entries(10 * month + place, received_at=at)) for place, sink in enumerate(sinks))
        )
    await asyncio.gather(*(sink.close() for sink in sinks))
    assert [10 * month + place for month in (7, 8, 9) for place in range(6)] == seqs(postgres)


async def test_a_month_that_was_dropped_is_made_again_for_a_late_record(postgres: Postgres, tmp_path):
    """A call that was closed weeks later is no bad record: nothing is put aside for it."""
    write_log(tmp_path, [1], received_at="2026-06-30T12:00:00.000001Z")
    async with Delivery(tmp_path, table(postgres, is_partitioned=True)) as delivery:
        await delivery.has_come_to(1)
        postgres.run("DROP TABLE cdr_2026_06")
        write_log(tmp_path, [2], received_at="2026-06-29T12:00:00.000001Z")
        write_log(tmp_path, [3])
        await delivery.has_come_to(3)
        assert [] == delivery.quarantined()
    assert [2, 3] == seqs(postgres)


async def test_a_table_of_an_older_release_grows(postgres: Postgres):
    """Columns are added at its end, the step is told, rows stay."""
    sink = table(postgres)
    await sink.start(0)
    await sink.deliver(entries(1))
    lost = [column.name for column in table_columns(COLUMNS[-3:])]
    postgres.run("ALTER TABLE cdr " + ", ".join(f'DROP COLUMN "{name}"' for name in lost))
    await sink.start(1)
    await sink.deliver(entries(2))
    await sink.close()
    assert [1, 2] == seqs(postgres)
    assert [(None,), (2,)] == postgres.rows(f'SELECT CASE WHEN "{lost[0]}" IS NULL THEN NULL ELSE seq END FROM cdr')
    steps = postgres.rows("SELECT version, step FROM cdr_migrations ORDER BY version")
    assert [(1, f"made with {len(table_columns())} columns"), (2, "added " + ", ".join(lost))] == steps


async def test_two_edges_may_make_the_table_at_once(postgres: Postgres):
    """One does, the other finds it made."""
    sinks = [table(postgres) for _ in range(6)]
    await asyncio.gather(*(sink.start(0) for sink in sinks))
    await asyncio.gather(*(sink.deliver(entries(seq, seq + 1)) for seq, sink in enumerate(sinks, 1)))
    await asyncio.gather(*(sink.close() for sink in sinks))
    assert list(range(1, 8)) == seqs(postgres)
    assert 1 == len(postgres.rows("SELECT * FROM cdr_migrations"))


async def test_a_user_who_may_only_insert_is_enough_for_a_finished_table(postgres: Postgres):
    """No right to change tables is needed where there is nothing to change; where there is, it is said."""
    maker = table(postgres)
    await maker.start(0)
    await maker.close()
    postgres.run(
        "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN; "
        "GRANT USAGE ON SCHEMA public TO clerk; GRANT INSERT, SELECT ON cdr TO clerk"
    )
    clerk = table(postgres, dsn=postgres.dsn.replace("user=edge", "user=clerk"))
    await clerk.start(0)
    await clerk.deliver(entries(1))
    assert [1] == seqs(postgres)
    postgres.run("DROP TABLE cdr")
    with pytest.raises(DeliveryFailed, match="InsufficientPrivilege"):
        await clerk.start(1)
    await clerk.close()


async def test_a_record_the_table_refuses_is_put_aside(postgres: Postgres, tmp_path):
    """A rule of the operator's own, a value out of range: that record alone, and its values are not in the log."""
    maker = table(postgres)
    await maker.start(0)
    await maker.close()
    postgres.run("ALTER TABLE cdr ADD CONSTRAINT no_devil CHECK (account <> 'devil')")
    write_log(tmp_path, range(1, 40))
    write_log(tmp_path, [40], account="devil")
    write_log(tmp_path, range(41, 60))
    write_log(tmp_path, [60], received_at="the day of judgement")
    write_log(tmp_path, range(61, 100))
    async with Delivery(tmp_path, table(postgres)) as delivery:
        await delivery.has_come_to(99)
    assert [40, 60] == delivery.quarantined()
    assert [seq for seq in range(1, 100) if seq not in (40, 60)] == seqs(postgres)
    reasons = [str(fact["why"]) for fact in delivery.told("delivery.quarantined")]
    assert reasons == ["CheckViolation (23514) no_devil", "InvalidDatetimeFormat (22007)"]


async def test_refusals_are_told_apart_from_failures(postgres: Postgres):
    """A missing table is nobody's fault but the operator's: no record is put aside for it."""
    sink = table(postgres)
    await sink.start(0)
    postgres.run("DROP TABLE cdr")
    with pytest.raises(DeliveryFailed, match="UndefinedTable"):
        await sink.deliver(entries(1))
    await sink.start(0)
    postgres.run("ALTER TABLE cdr ADD CONSTRAINT small CHECK (seq < 5)")
    with pytest.raises(BatchRefused):
        await sink.deliver(entries(4, 5))
    assert [] == seqs(postgres)
    await sink.close()


async def test_a_server_that_is_killed_and_started_again(postgres: Postgres, tmp_path):
    """Three times in the middle of the load: every record is there once."""
    write_log(tmp_path, range(1, 1_801))
    async with Delivery(tmp_path, table(postgres), records=20) as delivery:
        for turn in range(1, 4):
            await delivery.has_come_to(turn * 400)
            postgres.kill()
            await until(lambda turn=turn: len(delivery.told("delivery.failed")) >= turn, "the failure to be told")
            postgres.start()
        await delivery.has_come_to(1_800)
    assert list(range(1, 1_801)) == seqs(postgres)
    assert [] == delivery.quarantined()


async def test_a_server_that_hangs_is_a_failure_in_time(postgres: Postgres, tmp_path):
    """Stopped, not dead: connections stand and nothing answers. The bound holds, and then it goes on."""
    write_log(tmp_path, range(1, 101))
    async with Delivery(tmp_path, table(postgres, timeout_s=0.5), timeout_s=0.5) as delivery:
        await delivery.has_come_to(100)
        postgres.signal(signal.SIGSTOP)
        try:
            write_log(tmp_path, range(101, 201))
            await until(lambda: bool(delivery.told("delivery.failed")), "the failure to be told")
            assert delivery.told("delivery.failed")[0]["why"] == "no answer in 0.5 s"
        finally:
            postgres.signal(signal.SIGCONT)
        await delivery.has_come_to(200)
    assert list(range(1, 201)) == seqs(postgres)


async def test_an_address_where_nobody_is(tmp_path):
    """Said in a line, with no password in it."""
    sink = PostgresTable(
        "billing",
        f"host={tmp_path} user=edge password=topsecret dbname=postgres",
        schema="public",
        table="cdr",
        is_partitioned=False,
        timeout_s=1.0,
    )
    with pytest.raises(DeliveryFailed) as caught:
        await sink.start(0)
    assert "No such file or directory" in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert issubclass(psycopg.OperationalError, psycopg.Error)


def test_a_line_of_these_tests_is_a_record():
    """Every column is there."""
    assert {column.name for column in COLUMNS} <= set(entries(1)[0].record)
    assert line(1).endswith(b"}\n")
