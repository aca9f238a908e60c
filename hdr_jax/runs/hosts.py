"""Several hosts that train one model: joining, comparing what they were given, ending together.

The engine is JAX's own (`jax.distributed`): on every host the same program, the parameters on every
device, gradients averaged over all of them. With one host these functions do nothing, apart from
`alone_in`.
"""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from hdr_jax.errors import InputError
from hdr_jax.files import code_digest, took_lock
from hdr_jax.runs.description import dotted, versions

LOST_AFTER = 30  # seconds without a sign of life after which the others give a host up
LOCAL = ("hosts", "data_dir", "manual_dir")  # fields in which hosts may differ


def join(hosts: Any) -> None:
    """Makes one computation of several hosts; does nothing without a coordinator.

    Args:
      hosts: `coordinator`, address and port of the first host, or "auto" where the cluster tells
        (Slurm, Kubernetes, Cloud TPU), which then tells the others too; `count` of the hosts;
        `index` of this one.

    Raises:
      InputError: naming the field, for values that do not go together; with JAX's own reason where
        it cannot begin.
    """
    _check(hosts)
    if not hosts.coordinator:
        return
    by_cluster = hosts.coordinator == "auto"  # which JAX asks for what it is not told
    told = () if by_cluster else (hosts.coordinator, hosts.count, hosts.index)
    limits: dict[str, Any] = {
        "heartbeat_timeout_seconds": LOST_AFTER,
        "shutdown_timeout_seconds": LOST_AFTER,
    }
    try:
        jax.distributed.initialize(*told, **limits)
    except (RuntimeError, ValueError) as error:  # JaxRuntimeError is a RuntimeError
        reason = str(error).strip().partition("\n")[0][:200]
        raise InputError(
            f"got config.hosts.coordinator = {hosts.coordinator!r}, with which JAX cannot begin "
            f"({reason}): expected a free port of the first "
            "host, such as host0:1234, or 'auto' inside of a cluster that JAX knows"
        ) from error


def _check(hosts: Any) -> None:
    """Raises InputError for values that do not go together."""
    if not all(hasattr(hosts, name) for name in ("coordinator", "count", "index")):
        raise InputError(
            f"got config.hosts = {hosts!r}: expected coordinator, count and index, as in "
            "hdr_jax/configs/paper.py"
        )
    address, count, index = hosts.coordinator, hosts.count, hosts.index
    if address == "auto":
        return
    known = address == "" or (isinstance(address, str) and _has_port(address))
    counted = isinstance(count, int) and count >= 1
    within = counted and isinstance(index, int) and 0 <= index < count
    where = "host:port of the first host, such as host0:1234, or 'auto' inside of a cluster"
    for name, fits, expected in (
        ("coordinator", known, f"{where}; '' for one host alone"),
        ("count", counted, "the number of hosts, at least 1"),
        ("index", within, f"a whole number from 0 on below count = {count!r}, one for each host"),
        ("coordinator", address or count == 1, f"{where}, as config.hosts.count = {count!r}"),
    ):
        if not fits:
            value = getattr(hosts, name)
            raise InputError(f"got config.hosts.{name} = {value!r}: expected {expected}")


def _has_port(address: str) -> bool:
    """Whether an address is HOST:PORT."""
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 2**16


def description_of(config: Any) -> dict[str, Any]:
    """What has to be the same on all hosts before they begin.

    Args:
      config: of the run.

    Returns:
      Configuration, versions of the libraries, and a digest of this program's own code.
    """
    fields = {name: value for name, value in config.to_dict().items() if name not in LOCAL}
    return {"config": fields, "versions": versions(), "code of hdr_jax": code_digest()}


@contextlib.contextmanager
def alone_in(workdir: pathlib.Path) -> Iterator[None]:
    """A context in which no other run is with the same work directory, where the system can tell.

    Args:
      workdir: folder of the run.

    Raises:
      InputError: on all hosts, where another run is in it.

    Example: `with alone_in(pathlib.Path("runs/a")): train()`
    """
    with contextlib.ExitStack() as held:
        free = True
        if jax.process_index() == 0:  # the one that writes
            free = took_lock(held.enter_context((workdir / "lock").open("w")))
        if jax.process_count() > 1:
            free = bool(multihost_utils.broadcast_one_to_all(np.int32(free)))
        if not free:
            raise InputError(
                f"another process trains in {workdir}: wait for its end, or give another --workdir"
            )
        yield


def check_equal(told: Mapping[str, Any]) -> None:
    """Refuses to go on, on all hosts, where they were given different things.

    Args:
      told: what is to be equal, by name, as JSON can hold it.

    Raises:
      InputError: naming what differs, with the value of every host.
    """
    if jax.process_count() == 1:
        return
    text = np.frombuffer(json.dumps(told).encode(), np.uint8)
    longest = int(np.max(multihost_utils.process_allgather(np.int32(len(text)))))
    padded = np.full(longest, ord(" "), np.uint8)
    padded[: len(text)] = text
    rows = multihost_utils.process_allgather(padded)
    found = differences([json.loads(bytes(row)) for row in np.asarray(rows)])
    if found:
        raise InputError(
            f"the hosts differ: {'; '.join(found)}. Start the same command of the same version on "
            "all of them, with one shared work directory and the same data"
        )


def differences(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """The entries in which some of several descriptions differ.

    Args:
      told: nested fields, one for each host.

    Returns:
      For each such field its dotted name and who has which value.

    Example:
      >>> differences([{"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2}])
      ['a.b is 1 on host 0, 3 on host 1']
    """
    flat = [dict(dotted(fields)) for fields in told]
    found = []
    for name in sorted(set().union(*flat)):
        values = [fields.get(name) for fields in flat]
        holders = {repr(value): [i for i, v in enumerate(values) if v == value] for value in values}
        if len(holders) > 1:
            who = (
                f"{value} on host{'s' * (len(hosts) > 1)} {', '.join(map(str, hosts))}"
                for value, hosts in holders.items()
            )
            found.append(f"{name} is {', '.join(who)}")
    return found


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
    """Leaves at once, with exit code 1, when another host was lost.

    Without it the program would wait at its end, and for the checkpoint in writing, for a host that
    does not come. A checkpoint that is not complete is no checkpoint: nothing is lost.

    Example: `with ending_together(): train()`
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        print(
            f"error: host {jax.process_index()} stops, the work with the others failed "
            f"({str(error).strip().splitlines()[0][:200]}). Start all hosts again: they go on from "
            "the last checkpoint",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)
