"""The commands that there are."""

from __future__ import annotations

COMMANDS = {
    "init": ("init", "Look at a Django project of yours and write its loadtest.toml."),
    "env": ("env", "Install servers beside a project's packages, in an environment of their own."),
    "record": ("record", "Record what the endpoints of loadtest.toml answer."),
    "check": ("record", "Start every server once and compare its answers; put no load on it."),
    "doctor": ("doctor", "Check this machine for everything that would spoil a run."),
    "list": ("list_", "List the servers, endpoints or matrices to choose from."),
    "plan": ("plan", "Show what `run` would measure and how long it would take; start nothing."),
    "run": ("run", "Measure Django servers, then write the reports."),
    "report": ("report", "Write a run's reports again; no server is needed."),
    "compare": ("compare", "Compare two runs of servers: what each costs, then cell by cell."),
    "import": (
        "import_",
        "Judge what a load generator printed for somebody else, as if it were a run.",
    ),
    "clients": ("clients", "Measure Python's HTTP clients, then write the reports."),
    "agent": (
        "agent",
        "Make a part of the load of runs that another machine steers; Ctrl-C ends it.",
    ),
    "serve": ("serve", "Start one server as in a run; Ctrl-C ends it."),
    "services": (
        "serve",
        "Start the services of a project as in a run; Ctrl-C ends them.",
    ),
}
"""By name: its module below `loadtest.cli`, and the sentence that its help begins with."""
