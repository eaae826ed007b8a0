"""edge.config.sinks, as it is written in the settings of a process"""

import pytest

from edge.config.errors import StaticConfigError
from edge.config.parsing import read_static
from edge.config.sinks import KINDS, CsvSink, PostgresSink, RedisSink

HOOK = 'name = "hook"\nkind = "webhook"\nurl = "https://billing.example/cdr"\nsecret_env = "SECRET"\n'
TABLE = 'name = "db"\nkind = "postgres"\ndsn = "host=db.example dbname=billing user=edge"\n'
FILES = 'name = "rating"\nkind = "csv"\ndirectory = "/var/spool/rating"\n'
SPANS = 'name = "traces"\nkind = "otlp"\nurl = "http://127.0.0.1:4318/v1/traces"\n'
QUEUE = 'name = "queue"\nkind = "redis"\nurl = "redis://queue.example/0"\n'


def sinks(*entries: str):
    text = "\n".join("[[cdr.sinks]]\n" + entry for entry in entries)
    return read_static(command_line={"policy": "p"}, environment={}, file_text=text, file_name="edge.toml").cdr.sinks


def fault(*entries: str) -> str:
    with pytest.raises(StaticConfigError) as caught:
        sinks(*entries)
    return str(caught.value)


def test_without_a_word_there_are_no_sinks():
    """The log itself is the default."""
    assert read_static(command_line={"policy": "p"}, environment={}).cdr.sinks == ()


def test_each_kind_is_read():
    """What is left out has its default."""
    found = sinks(
        HOOK, TABLE, FILES, QUEUE, SPANS, 'name = "pickup"\nkind = "jsonl"\ndirectory = "/var/spool/pickup"\n'
    )
    assert ["webhook", "postgres", "csv", "redis", "otlp", "jsonl"] == [sink.kind for sink in found]
    assert {type(sink) for sink in found} == set(KINDS.values())
    _, table, files, queue, *_ = found
    assert isinstance(table, PostgresSink)
    assert ("public", "cdr", "none") == (table.db_schema, table.table, table.partition)
    assert isinstance(files, CsvSink)
    assert ((), ",", True, 60.0) == (files.columns, files.delimiter, files.header, files.rotate_s)
    assert (2_000, 4 << 20) == (files.batch_records, files.batch_bytes)
    assert isinstance(queue, RedisSink)
    assert (500, 1 << 20) == (queue.batch_records, queue.batch_bytes)
    assert ("trunkgate:cdr:{node}", 0) == (queue.stream, queue.maxlen)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([FILES + "rotate = 5\n"], "cdr.sinks[0].rotate (edge.toml): unknown key; did you mean rotate_s?"),
        (
            [QUEUE, FILES + "batch_records = 0\n"],
            "cdr.sinks[1].batch_records (edge.toml): expected at least 1, got 0",
        ),
        (
            ['name = "a"\n'],
            "cdr.sinks[0] (edge.toml): missing: 'kind', one of jsonl, csv, redis, postgres, webhook, otlp",
        ),
        (
            ['name = "a"\nkind = "kafka"\n'],
            "cdr.sinks[0] (edge.toml): 'kind': expected one of 'jsonl', 'csv', 'redis', 'postgres', 'webhook', 'otlp', "
            "got 'kafka'",
        ),
        (['kind = "csv"\ndirectory = "d"\n'], "cdr.sinks[0].name (edge.toml): missing, and it has no default"),
        (
            ['name = "a/b"\nkind = "csv"\ndirectory = "d"\n'],
            "cdr.sinks[0].name (edge.toml): expected a name of at most 64 letters, digits, '.', '_', '-', beginning "
            "with a letter or digit, got 'a/b'",
        ),
        ([FILES, FILES], "cdr.sinks (edge.toml): two sinks have the name 'rating'"),
        (
            [FILES, FILES.replace('name = "rating"', 'name = "other"').replace('rating"\n', 'rating/"\n')],
            "cdr.sinks (edge.toml): two sinks have the directory '/var/spool/rating'",
        ),
        (
            [HOOK + 'secret_file = "f"\n'],
            "cdr.sinks[0] (edge.toml): expected exactly one of secret_file, secret_env",
        ),
        (
            [TABLE.replace("user=edge", "user=edge password=topsecret")],
            "cdr.sinks[0].dsn (edge.toml): expected no password here: put it all into a file (dsn_file) or a variable "
            "(dsn_env)",
        ),
        (
            [QUEUE.replace("//", "//:topsecret@")],
            "cdr.sinks[0].url (edge.toml): expected no password here: put it all into a file (url_file) or a variable "
            "(url_env)",
        ),
        (
            [TABLE.replace('host=db.example dbname=billing user=edge"', 'x"\ntable = "Bad-Name"')],
            "cdr.sinks[0].table (edge.toml): expected a name of at most 48 lower-case letters, digits, '_', "
            "got 'Bad-Name'",
        ),
        (
            [QUEUE + 'stream = "cdr:{account}"\n'],
            "cdr.sinks[0].stream (edge.toml): expected a key in which {node} alone stands in braces, "
            "got 'cdr:{account}'",
        ),
    ],
)
def test_each_fault_has_its_place_and_says_what_was_expected(entries, expected):
    """A secret is in none of them."""
    assert expected == fault(*entries)
    assert "topsecret" not in expected


@pytest.mark.parametrize(
    "url",
    [
        "http://billing.example/cdr",
        "https://user:topsecret@billing.example/",
        "https:///cdr",
        "ftp://127.0.0.1/",
        "https://billing.example:70000/",
        "https://billing.example/a b",
        "https://billing.example/#there",
    ],
)
def test_a_webhook_needs_an_encrypted_address_without_a_login(url):
    """Records of calls do not travel in clear, and a login would stand in the log."""
    expected = "expected https://HOST[:PORT]/PATH without a login; http:// only to 127.0.0.1, [::1] or localhost"
    told = fault(HOOK.replace("https://billing.example/cdr", url))
    assert f"cdr.sinks[0].url (edge.toml): {expected}" == told


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost/cdr?x=1", "http://[::1]:9/", "https://h"])
def test_a_webhook_on_this_machine_need_not_be_encrypted(url):
    """A receiver or a proxy beside the edge."""
    assert sinks(HOOK.replace("https://billing.example/cdr", url))[0].url == url


def test_sinks_stand_in_the_file_only():
    """No command line option and no variable can hold a table: EDGE_CDR is no setting."""
    with pytest.raises(StaticConfigError, match="unknown environment variable"):
        read_static(command_line={"policy": "p"}, environment={"EDGE_CDRS": "x", "EDGE_POLICYS": "x"})
    assert read_static(command_line={"policy": "p"}, environment={"EDGE_CDR": "x"}).cdr.sinks == ()
