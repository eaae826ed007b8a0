"""A bar on a terminal, nothing elsewhere; the items are the same."""

import io

from edge import progress


class Screen(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self):
        return True


def screen_of(monkeypatch):
    """From now on; a fixture would be undone by the capture of the test's own output."""
    shown = Screen()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    return shown


def test_a_bar_tells_how_much_is_done(monkeypatch):
    """By the unit that the caller counts in."""
    screen = screen_of(monkeypatch)
    numbers = iter(range(0, 2_048, 256))
    items = progress.watched(range(1_024), "records", total=2_048, done=lambda: next(numbers))
    assert list(items) == list(range(1_024))
    assert "1,024 records" in screen.getvalue()
    assert "25%" in screen.getvalue()


def test_items_of_a_known_number_are_their_own_unit(monkeypatch):
    """Lines of a rate deck."""
    screen = screen_of(monkeypatch)
    assert list(progress.watched(range(512), "rates", total=1_024)) == list(range(512))
    assert "512 rates" in screen.getvalue()
    assert "50%" in screen.getvalue()


def test_without_a_total_the_items_are_counted(monkeypatch):
    """For work whose size nobody knows."""
    screen = screen_of(monkeypatch)
    assert list(progress.watched(range(600), "records")) == list(range(600))
    assert "512 records" in screen.getvalue()
    assert "%" not in screen.getvalue()


def test_where_nobody_looks_nothing_is_drawn(capsys):
    """The items come as they are."""
    items = [1, 2]
    assert progress.watched(items, "records") is items
    assert capsys.readouterr().err == ""
