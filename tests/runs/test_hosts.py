"""What `config.hosts` may be; hosts that do train together are in tests/test_hosts.py."""

import jax
import pytest

from hdr_jax.configs import paper
from hdr_jax.errors import InputError
from hdr_jax.runs import hosts


def config_of(**fields):
    config = paper.get_config()
    config.hosts.update(fields)
    return config.hosts


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"count": 2, "index": 1}, "coordinator = ''.*expected host:port .*count = 2"),
        ({"coordinator": "host0", "count": 2}, "coordinator = 'host0'"),
        ({"coordinator": "host0:port", "count": 2}, "coordinator = 'host0:port'"),
        ({"coordinator": "host0:99999", "count": 2}, "coordinator = 'host0:99999'"),
        ({"coordinator": "host0:1234", "count": 2, "index": 2}, "index = 2"),
        ({"coordinator": "host0:1234", "count": 2, "index": -1}, "index = -1"),
        ({"coordinator": "host0:1234", "count": 0}, "count = 0"),
        ({"index": 1}, "index = 1"),
        ({"count": None}, "count = None"),
        ({"index": None}, "index = None"),
        ({"coordinator": None}, "coordinator = None"),
    ],
)
def test_values_that_do_not_go_together_are_refused(fields, named, monkeypatch):
    monkeypatch.setattr(jax.distributed, "initialize", lambda *_, **__: pytest.fail("began"))
    with pytest.raises(InputError, match=f"got config.hosts.{named}"):
        hosts.join(config_of(**fields))


def test_no_hosts_at_all_are_refused():
    with pytest.raises(InputError, match="got config.hosts = None"):
        hosts.join(None)


def test_a_work_directory_is_for_one_run_at_a_time(tmp_path):
    with (
        hosts.alone_in(tmp_path),
        pytest.raises(InputError, match=f"another process trains in {tmp_path}: .* --workdir"),
        hosts.alone_in(tmp_path),
    ):
        pass
    with hosts.alone_in(tmp_path):
        pass


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, jax.errors.JaxRuntimeError])
def test_where_jax_cannot_begin_its_reason_is_told(kind, monkeypatch):
    def fails(*_, **__):
        raise kind("coordinator_address should be defined.\nTrace")

    monkeypatch.setattr(jax.distributed, "initialize", fails)
    expected = r"coordinator = 'auto'.*\(coordinator_address should be defined.\)"
    with pytest.raises(InputError, match=expected):
        hosts.join(config_of(coordinator="auto"))


def test_one_host_begins_alone_and_several_as_they_are_told(monkeypatch):
    began = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *told, **_: began.append(told))
    hosts.join(config_of())
    hosts.join(config_of(coordinator="[::1]:1234", count=2, index=1))
    hosts.join(config_of(coordinator="auto"))
    assert began == [("[::1]:1234", 2, 1), ()]
