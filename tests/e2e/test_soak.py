"""A short run of `soak.py`: functions at full load, with updates and crashes."""

from soak import soak


def test_nothing_leaks_and_nothing_is_lost_at_full_load():
    accounts = soak(20)
    assert not accounts["wrong"], accounts
    assert all(accounts["calls"][kind] for kind in ("echo", "node", "marked", "crashes", "async", "update")), accounts
