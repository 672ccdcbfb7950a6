"""The closed list of doubts about a number, each computed from stored facts, with its advice."""

from __future__ import annotations

from loadtest.concerns.answers import CONTRACT, ERRORS, LOST_ROUNDS, NO_SAMPLES, WORK_NOT_DONE
from loadtest.concerns.delayed_ack import DELAYED_ACK
from loadtest.concerns.evidence import Concern, Evidence, Judgement, Raised, Verdict, weigh
from loadtest.concerns.limits import (
    CONNECTION_LIMITED,
    FASTER_THAN_POSSIBLE,
    GENERATOR_LIMITED,
)
from loadtest.concerns.littles_law import LITTLES_LAW
from loadtest.concerns.rounds import UNSTABLE
from loadtest.concerns.stalls import STALLS
from loadtest.concerns.surroundings import LEFT_BEHIND, NOISY_HOST, SHAPE_DIFFERS

__all__ = ["CONCERNS", "Concern", "Evidence", "Judgement", "Raised", "Verdict", "judge"]

CONCERNS = (
    ERRORS,
    NO_SAMPLES,
    CONTRACT,
    FASTER_THAN_POSSIBLE,
    LITTLES_LAW,
    STALLS,
    DELAYED_ACK,
    WORK_NOT_DONE,
    GENERATOR_LIMITED,
    CONNECTION_LIMITED,
    SHAPE_DIFFERS,
    UNSTABLE,
    NOISY_HOST,
    LEFT_BEHIND,
    LOST_ROUNDS,
)


def judge(evidence: Evidence) -> Judgement:
    """Look for every concern in the facts of one cell."""
    return weigh(CONCERNS, evidence)
