"""edge.config.parsing (whole documents and their messages: tests/config)"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.addresses import parse_listen
from edge.config.errors import PolicyError, StaticConfigError
from edge.config.parsing import MAX_DOCUMENT_CHARACTERS, MAX_PROBLEMS, parse_policy, policy_from, read_static
from edge.config.schema import PolicyDocument


def test_precedence() -> None:
    """Command line over environment over file over default."""
    file = 'policy = "file"\nstate = "file"\nnode = "file"\nlog = "json"\n'
    config = read_static(
        command_line={"policy": "line", "listen": [], "state": None},
        environment={"EDGE_POLICY": "env", "EDGE_STATE": "env", "EDGE_NODE": "", "PATH": "/bin"},
        file_text=file,
        file_name="edge.toml",
    )
    assert (config.policy, config.state, config.node, config.log, config.redis) == (
        "line",
        "env",
        "file",
        "json",
        "embedded",
    )


def test_defaults() -> None:
    """Only the policy has no default."""
    config = read_static(command_line={"policy": "p.toml"}, environment={})
    assert config.listen == (parse_listen("udp:127.0.0.1:5060"),)
    assert (config.lease_s, config.renew_s, config.decision_deadline_ms, config.metrics) == (30.0, 10.0, 50, "")


def test_environment_speaks_text() -> None:
    """A list is separated by commas, numbers are read, `none` is none; another program's EDGE_ names are not ours."""
    config = read_static(
        command_line={},
        environment={
            "EDGE_POLICY": "p.toml",
            "EDGE_LISTEN": "udp:127.0.0.1:5060, udp:[::1]:5060/advertise=edge.example:5060",
            "EDGE_LEASE_S": "9.5",
            "EDGE_RENEW_S": "3",
            "EDGE_MAX_CALLS": "7",
            "EDGE_METRICS": "none",
            "EDGE_CONFIG": "edge.toml",
            "EDGE_PORT_5060_UDP": "udp://10.0.0.1:5060",
        },
    )
    assert [listen.name for listen in config.listen] == ["udp:127.0.0.1:5060", "udp:[::1]:5060"]
    assert (config.lease_s, config.max_calls, config.metrics) == (9.5, 7, "")


def test_command_line_may_hold_listeners() -> None:
    """A listener that was read already is taken as it is."""
    listen = parse_listen("udp:127.0.0.1:0")
    assert read_static(command_line={"policy": "p", "listen": [listen]}, environment={}).listen == (listen,)


@pytest.mark.parametrize(
    ("command_line", "environment", "file", "message"),
    [
        ({}, {}, None, "policy (--policy / EDGE_POLICY / file: policy): missing, and it has no default"),
        ({}, {}, "", "policy (--policy / EDGE_POLICY / edge.toml: policy): missing, and it has no default"),
        (
            {"policy": "p", "max_calls": "0"},
            {},
            None,
            "max_calls (--max-calls): expected at least 1, got '0'",
        ),
        (
            {"policy": "p"},
            {"EDGE_DECISION_DEADLINE_MS": "fast"},
            None,
            "decision_deadline_ms (EDGE_DECISION_DEADLINE_MS): expected a whole number, got 'fast'",
        ),
        (
            {"policy": "p", "listen": ["udp:127.0.0.1:5060", "sctp:127.0.0.1:5060"]},
            {},
            None,
            "listen (--listen): expected udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT "
            "(an IPv6 HOST in brackets), optionally followed by "
            "/advertise=HOST:PORT, got 'sctp:127.0.0.1:5060'",
        ),
        (
            {"policy": "p"},
            {},
            "listen = [5060]",
            "listen (edge.toml: listen): expected a text, got 5060",
        ),
        (
            {"policy": "p"},
            {},
            'redis = "http://user:secret@host"',
            "redis (edge.toml: redis): expected `embedded` or a URL: redis://HOST:PORT/DB, rediss://HOST:PORT/DB, "
            "unix:///PATH, redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB or redis+cluster://HOST:PORT,HOST:PORT, "
            "got 'http://***@host'",
        ),
        (
            {"policy": "p"},
            {"EDGE_METRICS": "9464"},
            None,
            "metrics (EDGE_METRICS): expected HOST:PORT (an IPv6 HOST in brackets), got '9464'",
        ),
        ({"policy": "p"}, {}, "lisen = []", "lisen (edge.toml: lisen): unknown key; did you mean listen?"),
        (
            {"policy": "p"},
            {"EDGE_LISTENS": "x"},
            None,
            "EDGE_LISTENS: unknown environment variable; did you mean EDGE_LISTEN?",
        ),
        (
            {"policy": "p"},
            {},
            "lease_s = 20",
            "lease_s (edge.toml: lease_s): expected renew_s at most a third of lease_s, got 10 and 20",
        ),
        (
            {"policy": "p", "renew_s": 20},
            {},
            None,
            "renew_s (--renew-s): expected renew_s at most a third of lease_s, got 20 and 30",
        ),
        (
            {"policy": "p"},
            {},
            "session_expires_s = 60",
            "session_expires_s (edge.toml: session_expires_s): expected session_expires_s 0 or at least min_session_s, "
            "got 60 and 90",
        ),
        ({"policy": "p", "probe_s": 10}, {}, None, "probe_s (--probe-s): expected 0 or at least 40, got 10"),
        ({"policy": "p"}, {}, "x = ", "edge.toml: end of document: not TOML: Invalid value"),
    ],
)
def test_each_error_names_itself(
    command_line: dict[str, object], environment: dict[str, str], file: str | None, message: str
) -> None:
    """Which option, where it came from, what was expected, what was there."""
    with pytest.raises(StaticConfigError) as caught:
        read_static(
            command_line=command_line,
            environment=environment,
            file_text=file,
            file_name="edge.toml" if file is not None else "",
        )
    assert message == str(caught.value)


def test_all_faults_at_once() -> None:
    """The operator mends a file once, not once a fault."""
    with pytest.raises(StaticConfigError) as caught:
        read_static(command_line={}, environment={"EDGE_LOG": "xml"}, file_text="a = 1\nb = 2", file_name="f")
    assert len(caught.value.problems) == 4


def test_document_size() -> None:
    """A document without end is refused before it is read."""
    with pytest.raises(PolicyError, match="expected at most 4194304 characters, got 4194305"):
        parse_policy("#" * (MAX_DOCUMENT_CHARACTERS + 1))


def test_number_without_end() -> None:
    """A number of ten thousand digits is a fault of the document, not of the edge."""
    with pytest.raises(PolicyError, match="a number without end"):
        parse_policy("x = " + "1" * 10_000)


def test_faults_are_bounded() -> None:
    """A document wrong everywhere tells its first faults."""
    with pytest.raises(PolicyError) as caught:
        policy_from({"accounts": [{"id": "{"}] * 1000})
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_long_values_are_cut() -> None:
    """A message quotes the beginning of what was there."""
    with pytest.raises(PolicyError) as caught:
        policy_from({"accounts": [{"id": "a" * 10_000}]})
    assert len(str(caught.value)) < 300


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "when", "x", "uri"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*PolicyDocument.model_fields, "other"]), VALUES, max_size=4))
def test_never_another_exception(mapping: dict[str, object]) -> None:
    """Whatever shape comes, it is a document or a PolicyError with a path or a sentence for each fault."""
    try:
        document: PolicyDocument | None = policy_from(mapping)
        problems = ()
    except PolicyError as error:
        document, problems = None, error.problems
    assert (document is None) == bool(problems)
    assert all(problem.message for problem in problems)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:6379/0",
        "rediss://user:secret@h",
        "unix:///run/redis.sock",
        "redis+sentinel://one:26379,two/calls/3",
        "redis+cluster://one:6379,two",
        "embedded",
    ],
)
def test_stores(url: str) -> None:
    """The store is embedded or a URL in one of the forms of `limits.address`."""
    assert url == read_static(command_line={"policy": "p", "redis": url}, environment={}).redis


def test_other_faults_keep_their_words() -> None:
    """A fault without a sentence of ours is told in the validator's."""
    with pytest.raises(PolicyError, match="expected Keys should be strings, got 1"):
        policy_from(dict([(1, "x")]))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "-1"])
def test_seconds_are_seconds(value: str) -> None:
    """No timer without end, and none that is no number."""
    with pytest.raises(PolicyError, match=r"egress\[0\]\.setup_s"):
        parse_policy(f'[[egress]]\nid = "a"\nuri = "sip:192.0.2.1"\nsetup_s = {value}')
