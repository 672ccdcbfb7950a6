"""`loadtest plan`: what `run` would do and how long it takes; starts nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from loadtest.cli.options import Titled, json_option, matrix_options, project_of, project_options
from loadtest.cli.output import print_json, tables
from loadtest.plan.servers import inventory, schedule
from loadtest.plan.servers.schedule import Batch
from loadtest.records.planned import Cell, Choice, Plan
from loadtest.records.text import printable
from loadtest.records.values import MOST_RATE, MOST_TRIED
from loadtest.report.units import duration, paragraph, plural, roughly, seconds, share

NAMED = 4
"""As many endpoints are named where cells are skipped; of more there is only the count."""


@click.command("plan", cls=Titled)
@matrix_options
@click.option("-v", "--each", is_flag=True, help="List every load, in the order of the run.")
@project_options
@json_option
def plan_command(
    each: bool, folder: Path, python: str | None, as_json: bool, **options: Any
) -> int:
    """Show what `run` would measure and how long it would take; start nothing.

    MATRIX is quick (the default), standard, or another of `loadtest list matrices`, or a TOML file
    of yours; see `loadtest run --help`. Exit status 1 if everything would be skipped.

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
    from rich.text import Text

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
        counts = (str(len(cells) - skipped), str(skipped or "-"), f"{minutes:.1f}")
        table.add_row(Text(server.name), *counts)
    console.print(table)
    for line in _rates(plan):
        click.echo(paragraph(line, console.width))
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
    return f"{', '.join(servers)}: {_named(dict.fromkeys(cell.at for cell in cells))}"


def _named(endpoints: Collection[str]) -> str:
    few = len(endpoints) <= NAMED
    return ", ".join(endpoints) if few else plural(len(endpoints), "endpoint")


def lasts(plan: Plan, *, busy: bool | None = None) -> str:
    """Return in a sentence or two how long a plan takes, and when it ends earlier.

    On a `busy` machine nobody knows how much longer; None: nobody looked whether it is.
    """
    if plan.explores:
        return f"{_explores(plan)}. The same order again: --seed {plan.seed}."
    turns = list(schedule.turns(schedule.batches(plan)))
    all_s = sum(turn.planned_s for turn in turns)
    first_s = sum(turn.planned_s for turn in turns if not turn.round)
    text = f"{plural(len(turns), 'load')} in {plural(plan.rounds, 'round')}, about {roughly(all_s)}"
    text += "" if busy is False else " on an idle machine"
    text += ", and longer on this one" if busy else ""
    if plan.precision is not None:
        text += f", then further rounds until each ratio is known to {share(plan.precision)}"
        text += " (no limit: see --budget)" if plan.budget_s is None else ""
    if plan.budget_s is not None:
        budget = duration(plan.budget_s)
        if first_s > plan.budget_s:
            text += f". The first round alone takes about {roughly(first_s)}, longer than the"
            text += f" budget of {budget}: it is measured whole, and no other"
        else:
            fit = all_s <= plan.budget_s
            text += f"; {budget} of measuring at most" if fit else f"; as many as fit into {budget}"
            text += ", and less once the order by cost is decided" if not plan.precision else ""
    return f"{text}. The same order again: --seed {plan.seed}."


USUALLY = 0.85
"""Of what a server does in a closed loop, about as much as it takes within a goal."""

USUAL_RATE = 500.0
"""Requests a second; at fewer, a load lasts longer. Both are for planning alone."""


def _explores(plan: Plan) -> str:
    """Return how long a search or a run in steps takes, usually and at most."""
    from loadtest.judge.servers.within import tried
    from loadtest.stats.search import LEAST_RATE, MOST_TRIES

    def each_s(rate: float | None) -> float:
        """Return what one load of each cell takes: at a rate, or as fast as it can be."""
        cells = tuple(
            replace(cell, load=tried(cell, rate) if rate and cell.load.explores else cell.load)
            for cell in plan.cells
        )
        # What a server lets go of is looked at once.
        of = replace(plan, cells=cells, observe_release=plan.observe_release and not rate)
        return sum(turn.planned_s for turn in schedule.turns(schedule.one_round(of, 0, turns=1)))

    loads = sum(cell.skip is None for cell in plan.cells)
    text = f"{plural(loads, 'load')} as fast as each server can be driven, then"
    if any(cell.load.within for cell in plan.cells):
        usual, most = _usual_tries(), MOST_TRIES
        text += f" about {usual} at a rate for each, {most} at most"
    else:
        usual = most = max(len(cell.load.steps) for cell in plan.cells)
        text += f" {usual} at a rate for each"
    usually_s = each_s(None) + usual * each_s(USUAL_RATE)
    most_s = each_s(None) + most * each_s(LEAST_RATE)
    text += f": about {roughly(usually_s)}, {roughly(most_s)} at most"
    if plan.budget_s is not None and plan.budget_s < most_s:
        text += f"; no further load begins after {duration(plan.budget_s)} (see --budget)"
    return text


def _usual_tries() -> int:
    from loadtest.stats.search import Try, next_rate

    tries: list[Try] = []
    while (rate := next_rate(tries, USUAL_RATE, MOST_RATE)) is not None:
        tries.append(Try(rate, rate <= USUALLY * USUAL_RATE))
    return len(tries)


def _rates(plan: Plan) -> Iterator[str]:
    """Yield what each rate needs: connections, and how long its loads are."""
    needs: dict[float, dict[tuple[int, float], dict[str, None]]] = {}
    for cell in plan.cells:
        if cell.load.rate and cell.skip is None:
            load = cell.load.connections, cell.load.duration_s
            needs.setdefault(cell.load.rate, {}).setdefault(load, {})[cell.endpoint.id] = None
    for rate, loads in sorted(needs.items()):
        each = [
            f"{plural(connections, 'connection')}, {seconds(duration_s)} a load"
            + (f" ({_named(endpoints)})" if len(loads) > 1 else "")
            for (connections, duration_s), endpoints in sorted(loads.items())
        ]
        yield f"{rate:,.10g} requests/s: {'; '.join(each)}"
    if plan.explores:
        yield f"Each rate has the connections that it needs, {MOST_TRIED:,} at most."
