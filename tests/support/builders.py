"""Records for tests, whole but for what a test says."""

from __future__ import annotations

from typing import Any

from loadtest.records.measured import (
    Agent,
    Clock,
    Loaded,
    Machine,
    Outcome,
    Part,
    Run,
    Usage,
    Way,
)
from loadtest.records.planned import Cell, Contract, Endpoint, Load, Plan, Server, Shape

LOAD = Load(connections=8, duration_s=1, warmup_s=0.1)


def contract(**changes: Any) -> Contract:
    fields: dict[str, Any] = {
        "status": 200,
        "content_type": "application/json",
        "content_encoding": None,
        "body_bytes": 30,
        "body_sha256": "0" * 64,
        "delay_s": 0.0,
        "postgres": 0,
        "redis": 0,
        "upstream": 0,
    }
    return Contract(**fields | changes)


def endpoint(name: str = "json", style: Any = "sync", **changes: Any) -> Endpoint:
    of_contract = {
        key: changes.pop(key) for key in list(changes) if key in Contract.__struct_fields__
    }
    fields: dict[str, Any] = {
        "name": name,
        "style": style,
        "path": f"/myapp/{style}/{name}",
        "title": f"{name} performance",
        "kind": "cpu",
        "summary": f"What {name} does.",
        "isolated": False,
        "note": None,
        "unsupported": {},
        "contract": contract(**of_contract),
    }
    return Endpoint(**fields | changes)


def server(name: str = "alpha", **changes: Any) -> Server:
    fields: dict[str, Any] = {
        "name": name,
        "summary": f"What {name} is.",
        "interface": "wsgi",
        "requires": (name,),
        "argv": (name, "{port}"),
        "in_flight": "connections",
    }
    return Server(**fields | changes)


def plan(servers: Any = (), endpoints: Any = (), rounds: int = 1, **changes: Any) -> Plan:
    servers = tuple(servers) or (server(),)
    endpoints = tuple(endpoints) or (endpoint(),)
    fields: dict[str, Any] = {
        "matrix": "test",
        "seed": 1,
        "rounds": rounds,
        "shape": Shape(),
        "servers": servers,
        "cells": tuple(
            Cell(
                server=server.name,
                endpoint=each,
                load=LOAD,
                skip=server.unsupported.get(each.style),
            )
            for server in servers
            for each in endpoints
        ),
    }
    return Plan(**fields | changes)


def machine(**changes: Any) -> Machine:
    fields: dict[str, Any] = {
        "system": "Linux",
        "cpu": "a CPU",
        "processors": 2,
        "memory_bytes": 8_000_000_000,
        "python": "CPython 3.11.2",
        "versions": {"Django": "5.2"},
        "open_files": 65_536,
    }
    return Machine(**fields | changes)


def run(of: Plan | None = None, **changes: Any) -> Run:
    fields: dict[str, Any] = {
        "format": 1,
        "created_at": "2026-01-02T03:04:05+00:00",
        "command": "loadtest run test --seed 1",
        "plan": of or plan(),
        "machine": machine(),
        "argv": {"alpha": ("alpha", "8000")},
    }
    return Run(**fields | changes)


def outcome(cell: str = "alpha.json-sync", number: int = 0, **changes: Any) -> Outcome:
    return Outcome(**{"cell": cell, "round": number, "status": "measured"} | changes)


def loaded(answers: int, seconds: float = 1.0, **changes: Any) -> Loaded:
    """Return a load without an error."""
    fields: dict[str, Any] = {
        "generator": "wrk",
        "duration_us": int(seconds * 1e6),
        "answers": answers,
        "received_bytes": 0,
        "connect_errors": 0,
        "read_errors": 0,
        "write_errors": 0,
        "status_errors": 0,
        "timeouts": 0,
    }
    return Loaded(**fields | changes)


def usage(cpu_s: float, processes: int = 3, threads: int = 9, **changes: Any) -> Usage:
    fields: dict[str, Any] = {"rss_peak_bytes": 100_000_000, "pss_peak_bytes": 60_000_000}
    return Usage(cpu_s=cpu_s, processes=processes, threads=threads, **fields | changes)


def agent(name: str = "north", **changes: Any) -> Agent:
    fields: dict[str, Any] = {
        "machine": machine(versions={"wrk": "4.1.0"}),
        "clock": Clock(offset_us=0, within_us=100),
        "round_trip_us": 200,
        "here": False,
    }
    return Agent(name=name, **fields | changes)


def part(of: str = "north", late_us: int = 0, **changes: Any) -> Part:
    """Return what an agent had in a load, begun so long after it was to begin."""
    clock, planned_us = Clock(offset_us=-70_000, within_us=100), 10**15
    fields: dict[str, Any] = {
        "connections": 4,
        "clock": clock,
        "planned_us": planned_us,
        "loaded": loaded(1_000, began_us=planned_us + clock.offset_us + late_us),
        "raw": f"raw/{of}.txt",
        "histogram": f"raw/{of}.json",
        "usage": usage(0.1, 1, 2),
        "host": None,
        "network": Way(round_trips_us=(100, 120), link_mbit=None),
    }
    return Part(agent=of, **fields | changes)
