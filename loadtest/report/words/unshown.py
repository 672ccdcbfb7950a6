"""What a run does not show, however well it was made."""

from __future__ import annotations

from loadtest.model import Run
from loadtest.report.format import plural


def unshown(run: Run) -> list[str]:
    """Return what nobody may conclude from this machine and this load, a sentence each."""
    if run.source:
        return [
            "Nothing was measured here and no answer was looked at: whether the answers were right"
            " ones is not known, nor what the servers cost in memory and CPU time."
        ]
    shape = run.plan.shape
    processors = plural(run.machine.processors or 0, "processor")
    where = (
        f"Server, services and load generator shared {processors}"
        if run.placement is None
        else f"Server, services and load generator had processors of their own, of {processors}"
    )
    return [
        f"{where}. Ratios between servers carry over to other machines; rates do not.",
        f"Each server had {plural(shape.workers, 'worker')}: what it does with more, or with other"
        " settings than those below, is not shown.",
        "The load asks again as soon as it is answered. Latencies are those of a server that is"
        " always busy, not those of your traffic.",
        "Clients are on the same machine: nothing is said of networks, TLS, slow clients or a proxy"
        " in front.",
    ]
