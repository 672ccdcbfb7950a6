"""The words that every report uses, explained once: pages show them, docs/glossary.md has them."""

from __future__ import annotations

PATH = "docs/glossary.md"
"""In this project's repository; its table of these words is made from `TERMS`."""

TERMS = (
    (
        "cost",
        "CPU cores that serve 1,000 requests/s: the milliseconds of CPU time that the server takes"
        " for a request. Over several endpoints it is their geometric mean; of a site, the mean by"
        " their shares of its traffic. Less is better.",
    ),
    (
        "requests/s",
        "Correct (2xx) responses, a second; the median over rounds. In files this is `goodput`.",
    ),
    (
        "CPU per request",
        "CPU time, user and system, of the server's processes for one response; `with databases`,"
        " that of PostgreSQL and Valkey as well, where the endpoint needs them.",
    ),
    (
        "endpoint",
        "One URL of the app in one style, with the contract that its response has to meet:"
        " `json-sync`, `json-async`.",
    ),
    (
        "workload",
        "What kind of work an endpoint does: CPU, database, template, cache, compression, outbound"
        " HTTP, waiting.",
    ),
    ("cell", "One server at one endpoint under one load: a row of the report."),
    (
        "duplicate (A/A)",
        "One server, or client, measured a second time as if it were another. What differs between"
        " the two is noise.",
    ),
    (
        "noise floor",
        "The difference that two copies of one server exceed in 5 of 100 cases. No smaller"
        " difference counts.",
    ),
    (
        "separated",
        "The difference is larger than noise explains, after correction for all comparisons, and"
        " than what matters (5 %).",
    ),
    (
        "tie",
        "Not separated: within noise of each other. Those that are tied share a rank, as in `1=`."
        ' That is not "equally fast".',
    ),
    (
        "held at once",
        "How many requests that wait, as for a slow API, a server has in progress together. Workers"
        " and threads limit it by configuration; otherwise the connections of the load do.",
    ),
    (
        "closed loop",
        "Each of N connections sends its next request as soon as it has its response. It finds how"
        " fast a server can be driven; its latency is that of the queue which the load itself"
        " makes.",
    ),
    (
        "load at a rate",
        "Requests are sent as scheduled, evenly or at random, whatever the responses do: an open"
        " loop. Its latencies are what users see at that rate.",
    ),
    ("concern", "A named doubt about a number, with the facts and what to do next."),
    (
        "verdict",
        "What a number is worth. `valid`: no concern. `suspect`: ranked and shown with a `?`."
        " `invalid`: neither shown nor ranked.",
    ),
)
"""Each with its meaning; code in backticks."""
