"""One life of a store for as long as its data lasts."""

from limits.life import StoreLife


def test_another_name_is_another_life():
    """The first one heard of is no loss; each later change is, until it is trusted again."""
    told: list[str] = []
    life = StoreLife("key", told.append)

    life.take("a")
    life.take("a")
    assert (told, life.losses, life.is_recounting) == ([], 0, False)

    life.take("b")
    assert (told, life.losses, life.is_recounting) == (["b"], 1, True)
    life.take("b")
    assert (told, life.losses) == (["b"], 1)

    life.trust()
    assert not life.is_recounting


def test_another_key_begins_anew():
    """The slots of a cluster have moved: what another key says is no loss. The same key changes nothing."""
    told: list[str] = []
    life = StoreLife("key", told.append)
    life.take("a")
    life.watch("other")
    life.take("b")
    assert (life.key, told) == ("other", [])
    life.watch("other")
    life.take("c")
    assert told == ["c"]
