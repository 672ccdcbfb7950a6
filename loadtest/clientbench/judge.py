"""What a client's number is worth: a closed list of concerns, each with its meaning and advice."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.clientbench import doubts
from loadtest.clientbench.doubts import Evidence
from loadtest.concerns.evidence import Concern, Judgement, weigh


def judge(evidence: Evidence) -> Judgement:
    """Look for every concern in the facts of one row."""
    return weigh(CONCERNS, evidence)


CONCERNS: Sequence[Concern[Evidence]] = (
    Concern(
        name="errors",
        means="Some calls got no right answer: another status, length or content, or none at all."
        " They are in no rate, but a client that gives up early has less to do.",
        advice="Read what went wrong beside it; a lower `--batch`, or `ulimit -n` for more open"
        " files, and measure again.",
        find=doubts.errors,
    ),
    Concern(
        name="answers-missing",
        means="The server saw fewer requests than the client says were answered, so the client's"
        " own account is wrong.",
        advice="Look for a cache in the client, or for a result that is reported without a call.",
        find=doubts.answers_missing,
    ),
    Concern(
        name="hidden-retries",
        means="The server saw more requests than there were calls: some were sent again unseen, and"
        " a call's time is not that of one answer.",
        advice="Look at the client's retries, and at why the first try failed: a connection that"
        " the server had closed, a limit, a timeout.",
        find=doubts.hidden_retries,
    ),
    Concern(
        name="not-reused",
        means="The connections that the server saw do not fit what the row says about reuse, so its"
        " label is not what was measured.",
        advice="Look at the client's pool: its size must be at least `--batch`, and the whole body"
        " must be read before a connection can be used again.",
        find=doubts.not_reused,
    ),
    Concern(
        name="other-protocol",
        means="Client and server spoke another version of HTTP than the row says.",
        advice="HTTP/2 needs TLS, and a client that has it: see `loadtest clients --help`.",
        find=doubts.other_protocol,
    ),
    Concern(
        name="faster-than-possible",
        means="Answers came sooner than the server's delay allows: they were not waited for.",
        advice="Look whether the client reads the whole body and whether its result is looked at.",
        find=doubts.faster_than_possible,
    ),
    Concern(
        name="upstream-limited",
        means="The server sets the pace, not the client: a faster client could not show it here.",
        advice="Compare the CPU time a call instead, which has no ceiling; or a higher `--batch`"
        " where the server's delay is the limit.",
        find=doubts.upstream_limited,
    ),
    Concern(
        name="unstable",
        means="The rounds differ so much that their middle says little.",
        advice="More `--rounds`, more `--requests`, and nothing else on the machine.",
        find=doubts.unstable,
    ),
    Concern(
        name="noisy-host",
        means="Something other than client and server used the machine meanwhile.",
        advice="End what else runs (`top` names it), and measure again.",
        find=doubts.noisy_host,
    ),
    Concern(
        name="lost-rounds",
        means="The number is of the rounds that went well; the others have none.",
        advice="Read the reason of the failed round, put it right, and measure again.",
        find=doubts.lost_rounds,
    ),
)
"""The closed list; each member is looked for in every row."""
