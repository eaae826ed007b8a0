"""edge.config.alerts, as it is written in the settings of a process."""

import pytest

from edge.config.errors import StaticConfigError
from edge.config.parsing import read_static

HOOK = 'name = "noc"\nurl = "https://noc.example/in"\nsecret_env = "SECRET"\n'


def alerts(text: str):
    return read_static(command_line={"policy": "p"}, environment={}, file_text=text, file_name="edge.toml").alerts


def hooks(*entries: str) -> str:
    return "\n".join("[[alerts.webhooks]]\n" + entry for entry in entries)


def test_without_a_word_nobody_is_told():
    """They are watched all the same: `edge alerts list`."""
    found = read_static(command_line={"policy": "p"}, environment={}).alerts
    assert (found.webhooks, found.credit_low, found.remind_s) == ((), None, 0)


def test_what_is_written_is_read():
    """An amount is exact; what is left out has its default."""
    found = alerts(
        f'[alerts]\ncredit_low = "12.50"\nremind_s = 600\n{hooks(HOOK)}kinds = ["trunk"]\nleast = "critical"'
    )
    (hook,) = found.webhooks
    assert (found.credit_low, found.remind_s) == (12_500_000, 600)
    assert (hook.kinds, hook.least, hook.timeout_s, hook.retry_most_s) == (("trunk",), "critical", 10.0, 60.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[alerts]\ncredit = 5\n", "alerts.credit (edge.toml): unknown key; did you mean credit_low?"),
        ('[alerts]\ncredit_low = "-1"\n', "alerts.credit_low (edge.toml): expected at least 0"),
        ("[alerts]\nremind_s = 1.5\n", "alerts.remind_s (edge.toml): "),
        (hooks(HOOK, HOOK), "alerts.webhooks (edge.toml): two webhooks have the name 'noc'"),
        (hooks(HOOK + 'secret = "x"\n'), "alerts.webhooks[0].secret (edge.toml): unknown key; did you mean secret_"),
        (hooks(HOOK + 'secret_file = "x"\n'), "alerts.webhooks[0] (edge.toml): expected exactly one of secret_file, "),
        (hooks(HOOK + 'kinds = ["trunks"]\n'), "alerts.webhooks[0].kinds[0] (edge.toml): expected 'calls', 'caps', "),
        (hooks(HOOK + "timeout_s = 0\n"), "alerts.webhooks[0].timeout_s (edge.toml): expected at least 0.1, got 0"),
        (hooks(HOOK.replace("https", "http")), "alerts.webhooks[0].url (edge.toml): expected https://HOST[:PORT]/PATH"),
        (hooks('name = "noc"\n'), "alerts.webhooks[0].url (edge.toml): missing, and it has no default"),
        (hooks(HOOK.replace("noc", "n c", 1)), "alerts.webhooks[0].name (edge.toml): "),
    ],
)
def test_a_fault_is_named_with_its_exact_place(text: str, expected: str):
    """Which webhook, which key, and what was expected."""
    with pytest.raises(StaticConfigError) as caught:
        alerts(text)
    assert str(caught.value).startswith(expected)
