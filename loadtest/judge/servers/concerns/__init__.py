"""The closed list of doubts about a number, each computed from stored facts, with its advice."""

from __future__ import annotations

from loadtest.judge.servers.concerns import (
    agents,
    answers,
    at_rate,
    delayed_ack,
    limits,
    littles_law,
    rounds,
    scripted,
    stalls,
    surroundings,
)

CONCERNS = (
    answers.ERRORS,
    answers.NO_SAMPLES,
    answers.FEW_WAVES,
    answers.CONTRACT,
    limits.FASTER_THAN_POSSIBLE,
    littles_law.LITTLES_LAW,
    stalls.STALLS,
    delayed_ack.DELAYED_ACK,
    answers.WORK_NOT_DONE,
    at_rate.RATE_NOT_HELD,
    at_rate.GENERATOR_LATE,
    at_rate.STARVED_CONNECTIONS,
    scripted.SCRIPTED,
    limits.GENERATOR_LIMITED,
    limits.CONNECTION_LIMITED,
    surroundings.SHAPE_DIFFERS,
    rounds.UNSTABLE,
    rounds.UNEVEN_WORKERS,
    surroundings.NOISY_HOST,
    agents.NOT_TOGETHER,
    agents.NOISY_AGENT,
    agents.MOSTLY_NETWORK,
    agents.NEAR_BANDWIDTH,
    surroundings.LEFT_BEHIND,
    answers.LOST_ROUNDS,
)
