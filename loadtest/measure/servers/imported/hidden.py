"""Passwords, tokens and cookies in a report, which the run that it becomes does not show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from loadtest.measure.servers.imported.lines import LONGEST

_WORD = (
    r"(?:authorization|cookie|api[-_]?key|token|secret|passw(?:or)?d|session|credential)"
    r"[\w-]{0,40}"
)

_NAME = rf"[\w-]{{0,40}}{_WORD}"

_HEADER = (
    r"(?:(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,40}(?:key|token|secret)[\w-]{0,40})"
)

_SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i)'\s*{_NAME}\s*:\s*(?P<secret>[^']+)",
        rf'(?i)"\s*{_NAME}\s*:\s*(?P<secret>(?:\\.|[^"\\])+)',
        # In JSON, in settings, in a query or a form. Wherever the name begins: to look for that
        # at each letter of a long line takes milliseconds.
        rf"""(?i){_WORD}['"]?\s*[:=]\s*(?P<quote>['"])(?P<secret>.+?)(?:(?P=quote)|$)""",
        rf"""(?i){_WORD}=(?P<secret>[^\s&;"'`]+)""",
        # A header without quotes: one word of a command, or a line of its own.
        rf"(?i)(?<![\w'\"-]){_HEADER}:\s*(?P<secret>(?<=:)(?:\\.|[^\s\\])+|(?<=\s)\S.*)",
        r"(?i)\bbearer\s+(?P<secret>[\w.~+/=-]{8,})",
        r"://(?P<secret>[^\s/@]+)@",
        # Of curl, ab and hey: a user with a password, and cookies.
        r"""\s(?:-[uaAPU]|--user|--auth|--proxy-user)[\s=]?['"]?"""
        r"""(?P<secret>(?!\d+:\d)[^\s:'"]+:(?!//)[^\s'"]+)""",
        r"""\s(?:-[Cb]|--cookie)[\s=]?['"]?"""
        r"""(?P<secret>(?<=['"])[^'"]+=[^'"]*|[^\s'"]+=[^\s'"]*)""",
    )
)

_MAYBE = re.compile(r"(?i)auth|cookie|key|token|secret|passw|session|credential|bearer|@|\s-")
"""In every line that one of them is in: most lines of a report have none of it."""


class Hidden:
    """Puts a number in the place of each secret, by which loads still differ."""

    def __init__(self) -> None:
        """Know of none."""
        self._numbers: dict[str, int] = {}

    def lines(self, lines: Sequence[str]) -> Iterator[str]:
        """Yield lines without secrets; of what is longer than any command, the first words.

        It is filled up with dots, and stays too long for one.
        """
        for line in lines:
            is_whole = len(line) <= LONGEST
            # A part of a secret would not be known for one.
            text = line if is_whole else line[:LONGEST].rpartition(" ")[0]
            for secret in _SECRETS if _MAYBE.search(text) else ():
                text = secret.sub(self._number, text)
            yield text if is_whole else f"{text} ".ljust(LONGEST + 1, ".")

    def _number(self, match: re.Match[str]) -> str:
        secret = match["secret"]
        if secret.startswith("***"):
            return match[0]
        start, end = (at - match.start() for at in match.span("secret"))
        number = self._numbers.setdefault(secret, len(self._numbers) + 1)
        return f"{match[0][:start]}***{number}{match[0][end:]}"
