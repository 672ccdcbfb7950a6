"""What a report and a comparison say of who started the servers."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from builders import endpoint

from loadtest.judge.servers import conditions
from loadtest.records.measured import Engine, Placement, Site, Source
from loadtest.records.planned import Shape
from loadtest.report.servers.sentences.method import bounds, launched, pooled


def engine(**changes: Any) -> Engine:
    fields: dict[str, Any] = {
        "address": "ssh://there.lan",
        "name": "there",
        "remote": False,
        "version": "28.0.1",
        "system": "Debian 13, Linux 6.12",
        "processors": 8,
        "memory_bytes": 16_000_000_000,
        "images": {"loadtest-server": "sha256:0123456789abcdef"},
        "settings": {"SERVER_CPUS": "", "SERVER_MEMORY": "2g", "DATABASES_MEMORY": "1g"},
    }
    return Engine(**fields | changes)


def test_a_local_run_says_what_shared_the_processors() -> None:
    assert launched(builders.run()) == (
        "Servers, services and load generator ran as processes here, sharing all processors.",
    )
    placed = Placement(generator=(0,), services=(1,), server=(2, 3))
    assert launched(builders.run(placement=placed)) == (
        "Servers, services and load generator ran as processes here, each with processors of its"
        " own: the servers on 2, 3, services on 1, generator on 0.",
    )


def test_a_local_run_says_what_it_could_reach() -> None:
    """Of the app of this repository there is nothing to say: it calls nobody."""
    (alone,) = launched(builders.run(network="own", site=Site()))
    assert alone.endswith(
        "ran as processes here, on a network of their own from which nothing else can be reached,"
        " sharing all processors."
    )
    *_, held = launched(builders.run(network="machine", site=Site()))
    assert held.startswith("They were on this machine's network: Python's own sockets were held")
    assert launched(builders.run(network="machine")) == launched(builders.run())


def test_nothing_is_known_of_a_report_of_others() -> None:
    assert launched(builders.run(source=Source(file="a.md", sha256="0"))) == ()


def test_containers_on_the_generators_machine() -> None:
    how, images, limits = launched(builders.run(launcher="compose", engine=engine()))
    assert how.startswith("In containers by Docker Compose, engine 28.0.1: ")
    assert "all on the machine above" in how
    assert images == "Images: loadtest-server (0123456789ab)."
    assert limits == "Limits: server 2g of memory; databases and upstream, each 1g of memory."


def test_containers_on_another_machine_say_which_did_what() -> None:
    how = launched(builders.run(launcher="compose", engine=engine(remote=True)))[0]
    assert "on there (Debian 13, Linux 6.12, 8 processors, 16.0 GB of memory" in how
    assert how.endswith("the generator on the machine above.")


def test_the_processors_are_those_of_the_run() -> None:
    placed = Placement(generator=(0,), services=(1,), server=(2, 3))
    run = builders.run(launcher="compose", engine=engine(), placement=placed)
    assert "server processors 2,3 and 2g of memory" in launched(run)[-1]


def test_a_server_that_was_up_before() -> None:
    (line,) = launched(builders.run(launcher="running"))
    assert "not started afresh" in line


def test_an_agent_that_served_another_that_loaded() -> None:
    run = builders.run(
        launcher="agent",
        served_by=builders.agent("north"),
        agents=(builders.agent("south", here=True),),
    )
    served, loaded = launched(run)
    assert served.startswith("Servers and services ran as processes on north, which is the machine")
    assert "The load was made by south (the machine of the servers, 2 processors" in loaded


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("steers", [False, True])
def test_what_counts_is_whether_the_load_was_made_beside_the_servers(
    beside: bool, steers: bool
) -> None:
    base = builders.run(agents=(builders.agent("south", here=True),))
    new = builders.run(
        agents=(builders.agent("south", here=beside),),
        launcher="agent",
        served_by=builders.agent("north", here=steers),
    )
    forbids = {each.key for each in conditions.differences(base, new) if each.forbids}
    assert forbids == (set() if beside else {"loads made by"})
    assert ("the network between them" in " ".join(bounds(new, ()))) != beside


@pytest.mark.parametrize("remote", [False, True])
def test_local_and_container_are_compared_but_not_across_machines(remote: bool) -> None:
    new = builders.run(launcher="compose", engine=engine(remote=remote))
    differing = {
        difference.key: difference for difference in conditions.differences(builders.run(), new)
    }
    assert not differing["launcher"].forbids
    assert (differing["launcher"].base, differing["launcher"].new) == ("local", "compose")
    assert ("machine of the servers" in differing) == remote
    if remote:
        assert differing["machine of the servers"].forbids
        assert differing["machine of the servers"].base == "the generator's"


def test_what_differs_between_two_engines_is_named() -> None:
    base = builders.run(launcher="compose", engine=engine())
    new = builders.run(
        launcher="compose",
        engine=engine(version="29.0", images={"loadtest-server": "sha256:fe"}, settings={}),
    )
    differing = {difference.key: difference for difference in conditions.differences(base, new)}
    assert {"Docker engine", "image loadtest-server", "engine: SERVER_MEMORY"} <= differing.keys()
    assert not any(difference.forbids for difference in differing.values())


def test_an_endpoint_that_waits_in_the_database_says_what_its_pools_let_in() -> None:
    shape = Shape(workers=2, threads=4, database_pool=16)
    waits = endpoint("slow_query", delay_s=0.05, postgres=1, pooled=True)
    assert (
        "holds a database connection for 50 ms, and each worker has a pool of 16: 2 workers let 32"
        " wait at once, for 640 requests/s."
    ) in pooled(waits, shape)
    assert pooled(endpoint("gateway_1s", delay_s=1.0), shape) == ""
