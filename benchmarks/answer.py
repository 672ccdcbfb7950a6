"""How often a quick run is right: who is cheaper, on a quiet machine and beside a busy program.

    loadtest run quick --rounds 12 --out results      # the truth: long, and nothing else running
    python -m benchmarks.answer results/<run>         # ten quick runs, an hour
    python -m benchmarks.answer results/<run> --from results/answers

Half of the quick runs are made beside a burner, which burns half a processor in bursts. What each
decides is held against the long run: a pair of servers is decided where the run says which of the
two is cheaper, and wrong where the long run does not say so too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click

from loadtest.judge.servers.decision import Cost
from loadtest.judge.servers.summary import Summary, summarise_stored
from loadtest.records import run_folder
from loadtest.records.planned import Record

RUNS = 10

CLEAR = 1.5
"""Times the cost, from which on a pair should be decided."""

BURNER = Path(__file__).with_name("burner.py")

Pair = tuple[str, str]
"""The dearer, and the cheaper."""


class Answer(Record, frozen=True, kw_only=True):
    """What one quick run said, held against the truth."""

    seed: int
    burner: bool
    seconds: float
    """Of measuring."""
    load_share: float
    chosen: str
    named: tuple[str, ...]
    """The servers to deploy, by its first sentence."""
    wrongly_ahead: tuple[Pair, ...]
    """Pairs in which a named server is not the cheaper one, of those it is named ahead of."""
    wrong: tuple[Pair, ...]
    """Pairs that it decided, and the truth does not or otherwise."""
    clear: int
    """Pairs whose true costs are `CLEAR` apart."""
    decided: int
    """Of these."""
    busy: int
    """Cells that others disturbed, of `cells`."""
    cells: int


def truth_of(folder: Path) -> Mapping[Pair, float]:
    """Return how many times as much the first costs, of all pairs that the long run decided."""
    cost = _cost(_summary(folder))
    return {(each.server, each.over): each.ratio for each in cost.pairs if each.finding == "higher"}


def judged(folder: Path, seed: int, burner: bool, truth: Mapping[Pair, float]) -> Answer:
    """Hold what a quick run says against the truth."""
    summary = _summary(folder)
    decision, cost = summary.decision, _cost(summary)
    pairs = {(each.server, each.over) for each in cost.pairs if each.finding == "higher"}
    named = cost.first if decision.chosen in ("server", "group") else ()
    clear = [pair for pair, ratio in truth.items() if ratio >= CLEAR]
    stored = run_folder.read(folder, run_folder.SERVERS)
    return Answer(
        seed=seed,
        burner=burner,
        seconds=sum(segment.wall_s for segment in stored.segments),
        load_share=summary.load_share or 0.0,
        chosen=decision.chosen,
        named=named,
        wrongly_ahead=tuple(
            (place.server, first)
            for place in cost.places
            if named and place.cores is not None and place.server not in named
            for first in named
            if (place.server, first) in pairs and (place.server, first) not in truth
        ),
        wrong=tuple(sorted(pairs - truth.keys())),
        clear=len(clear),
        decided=sum(pair in pairs for pair in clear),
        busy=decision.sure.busy,
        cells=decision.sure.cells,
    )


def _summary(folder: Path) -> Summary:
    return summarise_stored(run_folder.read(folder, run_folder.SERVERS))


def _cost(summary: Summary) -> Cost:
    if summary.decision.cost is None:
        raise click.ClickException("that run has no CPU times to judge by")
    return summary.decision.cost


@contextmanager
def burning(seed: int) -> Iterator[None]:
    """Burn half a processor, in bursts, during the block."""
    burner = subprocess.Popen([sys.executable, str(BURNER), str(seed)])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()


def quick_run(seed: int, burner: bool, out: Path) -> Path:
    """Make a quick run, and return its folder."""
    argv = [sys.executable, "-m", "loadtest", "run", "quick", "--seed", str(seed)]
    argv += ["--out", str(out), "--json"]
    if burner:
        with burning(seed):
            done = subprocess.run(argv, stdout=subprocess.PIPE, check=False)
    else:
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise click.ClickException(f"{' '.join(argv)} ended with status {done.returncode}")
    return Path(json.loads(done.stdout)["folder"])


def table(answers: Sequence[Answer]) -> str:
    """Return all answers as Markdown, the quiet runs first."""
    lines = [
        "| quick runs | named a server that is not ahead | wrong pairs | pairs 1.5x apart decided"
        " | load | median time |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for burner, name in ((False, "nothing else running"), (True, "beside the burner")):
        of = [answer for answer in answers if answer.burner == burner]
        if not of:
            continue
        decided, clear = sum(a.decided for a in of), sum(a.clear for a in of)
        lines.append(
            f"| {len(of)}, {name} | {sum(bool(a.wrongly_ahead) for a in of)}"
            f" | {sum(len(a.wrong) for a in of)} | {decided} of {clear}"
            f" | {min(a.load_share for a in of):.0%} or more"
            f" | {median(a.seconds for a in of):.0f} s |"
        )
    lines += ["", *(_line(answer) for answer in answers)]
    return "\n".join(lines)


def _line(answer: Answer) -> str:
    named = ", ".join(answer.named) or "no server"
    return (
        f"- seed {answer.seed}{', burner' * answer.burner}: {answer.chosen} ({named});"
        f" {answer.decided} of {answer.clear} clear pairs; {answer.busy} of {answer.cells} cells"
        f" disturbed; {answer.load_share:.0%} load in {answer.seconds:.0f} s"
        + (f"; WRONG: {answer.wrong}" if answer.wrong else "")
    )


@click.command()
@click.argument("truth", type=click.Path(exists=True, path_type=Path))
@click.option("--runs", default=RUNS, show_default=True, help="Every other is beside the burner.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/answers"))
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    help="Measure nothing: judge the runs in this folder again.",
)
def main(truth: Path, runs: int, out: Path, source: Path | None) -> None:
    """Make quick runs and hold what they say against a long run, TRUTH."""
    true = truth_of(truth)
    answers: list[Answer] = []
    if source is not None:
        for folder in run_folder.runs_below(source, run_folder.SERVERS):
            seed = run_folder.read(folder, run_folder.SERVERS).run.plan.seed or 0
            answers.append(judged(folder, seed, _beside_burner(seed), true))
    else:
        out.mkdir(parents=True, exist_ok=True)
        for seed in range(1, runs + 1):
            folder = quick_run(seed, _beside_burner(seed), out)
            answers.append(judged(folder, seed, _beside_burner(seed), true))
            click.echo(_line(answers[-1]), err=True)
    click.echo(table(answers))


def _beside_burner(seed: int) -> bool:
    return seed % 2 == 0


if __name__ == "__main__":
    main()
