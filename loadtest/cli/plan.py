"""`loadtest plan`: what `run` would do and how long it takes; starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from loadtest.cli.options import json_option, matrix_options, project_of, project_options
from loadtest.cli.output import print_json, tables
from loadtest.plan.servers import inventory, schedule
from loadtest.plan.servers.schedule import Batch
from loadtest.records.planned import Cell, Choice, Plan
from loadtest.records.text import printable
from loadtest.report.units import paragraph, plural

NAMED = 4
"""As many endpoints are named where cells are skipped; of more there is only the count."""


@click.command("plan")
@matrix_options
@click.option("-v", "--each", is_flag=True, help="List every measurement, in the order of the run.")
@project_options
@json_option
def plan_command(
    each: bool, folder: Path, python: str | None, as_json: bool, **options: Any
) -> int:
    """Show what `run` would measure and how long it would take; start nothing.

    MATRIX is quick (the default), standard, seed, or a TOML file of yours. Exit status 1 if every
    measurement would be skipped.

    Example: loadtest plan standard --server 'gunicorn-*'
    """
    offered = inventory.take_inventory(project_of(folder, python))
    plan = inventory.make_plan(offered, Choice(**options))
    todo = schedule.batches(plan)
    status = int(not todo)
    if as_json:
        print_json(plan)
        return status
    if each:
        for line in _in_order(plan, todo):
            click.echo(printable(line))
    else:
        _summarise(plan, todo)
    click.echo(paragraph(lasts(plan), tables().width))
    return status


def _in_order(plan: Plan, todo: Sequence[Batch]) -> Iterator[str]:
    for round_, _, cell, _ in schedule.turns(todo):
        load = cell.load
        yield (
            f"round {round_ + 1}  {cell.at:<24} {cell.server:<18}"
            f" {load.connections:>5} connections {load.duration_s:>4.0f} s"
        )
    for cell in plan.cells:
        if cell.skip:
            yield f"skipped  {cell.server:<18} {cell.at:<24} {cell.skip}"


def _summarise(plan: Plan, todo: Sequence[Batch]) -> None:
    from rich import box
    from rich.table import Table

    console = tables()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("server")
    for title in ("cells", "skipped", "minutes"):
        table.add_column(title, justify="right")
    planned_s = dict.fromkeys((server.name for server in plan.servers), 0.0)
    for turn in schedule.turns(todo):
        planned_s[turn.cell.server] += turn.planned_s
    for server in plan.servers:
        cells = [cell for cell in plan.cells if cell.server == server.name]
        skipped = sum(cell.skip is not None for cell in cells)
        minutes = planned_s[server.name] / 60
        table.add_row(server.name, str(len(cells) - skipped), str(skipped or "-"), f"{minutes:.1f}")
    console.print(table)
    reasons: dict[str, list[Cell]] = {}
    for cell in plan.cells:
        if cell.skip:
            reasons.setdefault(cell.skip, []).append(cell)
    for reason, cells in sorted(reasons.items(), key=lambda group: -len(group[1])):
        click.echo()
        click.echo(paragraph(f"skipped: {reason}", console.width))
        click.echo(paragraph(_where(cells), console.width, indent=2))
    click.echo()


def _where(cells: Sequence[Cell]) -> str:
    """Return which servers and endpoints cells are of, as in `uwsgi, waitress: 11 endpoints`."""
    servers = dict.fromkeys(cell.server for cell in cells)
    endpoints = dict.fromkeys(cell.at for cell in cells)
    few = len(endpoints) <= NAMED
    named = ", ".join(endpoints) if few else plural(len(endpoints), "endpoint")
    return f"{', '.join(servers)}: {named}"


def lasts(plan: Plan) -> str:
    """Return in a sentence or two how long a plan takes, and when it ends earlier."""
    from loadtest.stats.search import MOST_TRIES

    turns = list(schedule.turns(schedule.batches(plan)))
    minutes = sum(turn.planned_s for turn in turns) / 60
    further = sum(
        (MOST_TRIES if cell.load.within else len(cell.load.steps))
        for cell in plan.cells
        if cell.skip is None
    )
    if further:
        return (
            f"{plural(len(turns), 'load')} as fast as each server can be driven, then up to"
            f" {further:,} at a rate, of 2 to 10 s; --budget limits it. The same order again:"
            f" --seed {plan.seed}."
        )
    budget = "" if plan.budget_s is None else f"{plan.budget_s / 60:.3g} min"
    text = (
        f"{plural(len(turns), 'load')} in {plural(plan.rounds, 'round')}, about {minutes:.0f} min"
    )
    if plan.precision is not None:
        text += f", then further rounds until each ratio is known to {plan.precision:.1%}"
        text += f", for {budget} at most" if budget else " (no limit: see --budget)"
    elif budget:
        text += f"; {budget} of measuring at most, and less once the order by cost is decided"
    return f"{text}. The same order again: --seed {plan.seed}."
