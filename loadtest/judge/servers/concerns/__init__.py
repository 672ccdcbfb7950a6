"""The closed list of doubts about a number, each computed from stored facts, with its advice."""

from __future__ import annotations

from loadtest.judge.servers.concerns.answers import (
    CONTRACT,
    ERRORS,
    FEW_WAVES,
    LOST_ROUNDS,
    NO_SAMPLES,
    WORK_NOT_DONE,
)
from loadtest.judge.servers.concerns.at_rate import (
    GENERATOR_LATE,
    RATE_NOT_HELD,
    STARVED_CONNECTIONS,
)
from loadtest.judge.servers.concerns.delayed_ack import DELAYED_ACK
from loadtest.judge.servers.concerns.limits import (
    CONNECTION_LIMITED,
    FASTER_THAN_POSSIBLE,
    GENERATOR_LIMITED,
)
from loadtest.judge.servers.concerns.littles_law import LITTLES_LAW
from loadtest.judge.servers.concerns.rounds import UNEVEN_WORKERS, UNSTABLE
from loadtest.judge.servers.concerns.scripted import SCRIPTED
from loadtest.judge.servers.concerns.stalls import STALLS
from loadtest.judge.servers.concerns.surroundings import LEFT_BEHIND, NOISY_HOST, SHAPE_DIFFERS

CONCERNS = (
    ERRORS,
    NO_SAMPLES,
    FEW_WAVES,
    CONTRACT,
    FASTER_THAN_POSSIBLE,
    LITTLES_LAW,
    STALLS,
    DELAYED_ACK,
    WORK_NOT_DONE,
    RATE_NOT_HELD,
    GENERATOR_LATE,
    STARVED_CONNECTIONS,
    SCRIPTED,
    GENERATOR_LIMITED,
    CONNECTION_LIMITED,
    SHAPE_DIFFERS,
    UNSTABLE,
    UNEVEN_WORKERS,
    NOISY_HOST,
    LEFT_BEHIND,
    LOST_ROUNDS,
)
