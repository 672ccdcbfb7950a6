"""From facts to rows: what each server showed at each endpoint, ranked where there is a number."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.concern import Explained
from loadtest.judge.rows import ended
from loadtest.judge.servers.answer import answer
from loadtest.judge.servers.answer.records import Answer
from loadtest.judge.servers.concerns import CONCERNS, judge
from loadtest.judge.servers.concerns.evidence import Evidence
from loadtest.judge.servers.metrics import Histograms, figures, latencies
from loadtest.judge.servers.ranking import placed
from loadtest.judge.servers.rows import Ranking, Round, Row
from loadtest.judge.stopping import interim_looks, open_cells
from loadtest.records.measured import Ceiling, Outcome, Run, Segment
from loadtest.records.planned import Cell, Load, Record
from loadtest.records.run_folder import ServersRun
from loadtest.stats.latency import curve
from loadtest.stats.noise_floor import Twins, cpu_floors, goodput_floors, twins
from loadtest.stats.series import groups

FORMAT = 5
"""Of `summary.json`. 1: the first; 2: verdicts, concerns, shared ranks, ratios, noise floor;
3: CPU time with the databases, memory a worker, processes, threads and sockets seen, the answer,
latency curves, noise floors by ranking, both arms, and comparisons by CPU time; 4: which rankings
have a floor of other work, and servers without any number; gone from the answer: headings, the lead
over the reference, servers behind, what all pairs of views show, and with which views a server
leads; 5: `told` of the answer is `separated`."""


class Counts(Record, frozen=True, kw_only=True):
    """How many cells came to which end."""

    measured: int
    failed: int
    skipped: int
    measured_with_failed_rounds: int
    """Among the measured."""
    valid: int
    suspect: int
    invalid: int
    """Verdicts, of the measured and of those that failed under load."""


class Summary(Record, frozen=True, kw_only=True):
    """All that the reports show; `summary.json` as it stands."""

    format: int
    counts: Counts
    rounds: int
    """Begun; more than planned where more precision was asked for."""
    load_share: float | None
    """Share of the run's time in which there was load; None where that isn't known."""
    reference: str | None
    """The server that `versus` compares with."""
    noise_floor: float | None
    """The difference in goodput, as a share, that two identical servers show in this run, over all
    kinds of work; None without a second arm. What was judged by is each ranking's own."""
    cpu_noise_floor: float | None
    """Likewise, of the server's CPU time for an answer."""
    twins: tuple[Twins, ...]
    """The reference server and its second arm at each endpoint that has both, neither invalid."""
    left_open: tuple[str, ...]
    """Cells that the asked precision would give another round, were there time."""
    answer: Answer
    """What to deploy and why, as far as this run can tell."""
    rankings: tuple[Ranking, ...]
    concerns: tuple[Explained, ...]
    """All that are looked for."""


def summarise(
    run: Run,
    outcomes: Sequence[Outcome],
    histograms: Histograms,
    segments: Sequence[Segment] = (),
    ceilings: Sequence[Ceiling] = (),
) -> Summary:
    """Return the rankings of `run` in the order of its plan; a round's last outcome wins."""
    plan = run.plan
    last: dict[str, dict[int, Outcome]] = {}
    for outcome in outcomes:
        last.setdefault(outcome.cell, {})[outcome.round] = outcome
    rows = {
        cell.id: _row(run, cell, last.get(cell.id, {}), histograms, ceilings) for cell in plan.cells
    }
    invalid = {id_ for id_, row in rows.items() if row.verdict == "invalid"}
    arms = tuple(twins(plan, outcomes, invalid))
    floors, cpu = goodput_floors(arms), cpu_floors(arms)
    duplicates = {server.name for server in plan.servers if server.duplicate_of is not None}

    def ranking(load: Load, cells: Sequence[Cell]) -> Ranking:
        endpoint = cells[0].endpoint
        measured = max(rows[cell.id].rounds_measured for cell in cells)
        floor, cpu_floor = (each.of(endpoint.kind) for each in (floors, cpu))
        taking_part = [rows[cell.id] for cell in cells if cell.server not in duplicates]
        return Ranking(
            endpoint=endpoint,
            load=load,
            noise_floor=floor(measured) if floor else None,
            cpu_noise_floor=cpu_floor(measured) if cpu_floor else None,
            noise_borrowed=floor is not None and endpoint.kind not in floors.kinds,
            rows=placed(taking_part, plan.reference, floor, cpu_floor, interim_looks(plan)),
        )

    rankings = tuple(ranking(load, cells) for (_, load), cells in groups(plan).items())
    loaded_s = sum(outcome.warmup_s + outcome.load_s for outcome in outcomes)
    wall_s = sum(segment.wall_s for segment in segments)
    return Summary(
        format=FORMAT,
        counts=_counts([row for ranking in rankings for row in ranking.rows]),
        rounds=1 + max((one.round for one in outcomes if one.status != "skipped"), default=-1),
        load_share=loaded_s / wall_s if wall_s > 0 else None,
        reference=plan.reference,
        noise_floor=floors.pooled,
        cpu_noise_floor=cpu.pooled,
        twins=arms,
        left_open=tuple(sorted(open_cells(plan, outcomes, invalid))),
        answer=answer(rankings, interim_looks(plan), floors),
        rankings=rankings,
        concerns=tuple(
            Explained(concern=concern.name, means=concern.means, advice=concern.advice)
            for concern in CONCERNS
        ),
    )


def _counts(rows: Sequence[Row]) -> Counts:
    return Counts(
        measured=sum(row.status == "measured" for row in rows),
        failed=sum(row.status == "failed" for row in rows),
        skipped=sum(row.status == "skipped" for row in rows),
        measured_with_failed_rounds=sum(
            row.status == "measured" and row.rounds_failed > 0 for row in rows
        ),
        valid=sum(row.verdict == "valid" for row in rows),
        suspect=sum(row.verdict == "suspect" for row in rows),
        invalid=sum(row.verdict == "invalid" for row in rows),
    )


def _row(
    run: Run,
    cell: Cell,
    by_round: dict[int, Outcome],
    histograms: Histograms,
    ceilings: Sequence[Ceiling],
) -> Row:
    plan = run.plan
    server = next(server for server in plan.servers if server.name == cell.server)
    rounds = tuple(_round(by_round[number]) for number in sorted(by_round))
    came = ended(rounds, cell.skip)
    measured = tuple(by_round[one.number - 1] for one in came.measured)
    known = latencies(cell, measured, histograms)
    found = figures(plan, cell, server, measured, known) if measured else None
    judged = judge(
        Evidence(
            plan=plan,
            cell=cell,
            server=server,
            measured=measured,
            failed=tuple(by_round[one.number - 1] for one in came.failed),
            figures=found,
            latencies=known.raw if known.rounds else None,
            ceilings=ceilings,
            system=run.machine.system,
        )
    )
    return Row(
        cell=cell.id,
        server=server.name,
        interface=server.interface,
        status=came.status,
        rank=None,
        tied=False,
        versus=None,
        versus_cpu=None,
        # Without a number, no concern is no praise.
        verdict=judged.verdict if found or judged.concerns else None,
        concerns=judged.concerns,
        unchecked=judged.unchecked if found else (),
        figures=found,
        curve=curve(known.raw, known.backfilled),
        stage=came.why.stage if came.why else None,
        reason=came.reason,
        rounds_measured=len(came.measured),
        rounds_failed=len(came.failed),
        rounds=rounds,
        notes=((cell.endpoint.note,) if cell.endpoint.note else ()) + server.limits,
    )


def _round(outcome: Outcome) -> Round:
    unusable = _unusable(outcome) if outcome.status == "measured" else None
    measured = outcome.status == "measured" and not unusable
    return Round(
        number=outcome.round + 1,
        status="failed" if unusable else outcome.status,
        stage="load" if unusable else outcome.stage,
        reason=unusable or outcome.reason,
        detail=outcome.detail,
        goodput=outcome.loaded.goodput if measured and outcome.loaded else None,
        server_cpu_us=outcome.server_cpu_us if measured else None,
        raw=outcome.raw,
    )


def _unusable(outcome: Outcome) -> str | None:
    """Return why a load that ran to its end is no measurement: zeros would rank as numbers."""
    loaded = outcome.loaded
    if loaded is None or loaded.duration_us <= 0:
        return "the load left no result"
    if loaded.answers == 0:
        return "no request was answered"
    if loaded.status_errors >= loaded.answers:
        return f"all {loaded.answers} answers were errors"
    return None


def summarise_stored(stored: ServersRun) -> Summary:
    """Return the rows of a run with their verdicts, from all that its folder holds."""
    return summarise(
        stored.run, stored.outcomes, stored.histogram, stored.segments, stored.ceilings
    )
