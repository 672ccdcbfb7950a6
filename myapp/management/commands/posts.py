"""`manage.py posts`: how the list of posts in `myapp/expected/posts.json` was made."""

import json
import random
from typing import Any

from django.core.management.base import BaseCommand

COUNT = 100
LENGTH = 271  # characters of JSON that a post is filled up to
# Enough different words that Brotli ends near a quarter of the size, as it does on real prose.
VOCABULARY = """
    able above after air also anchor answer autumn back bay bell between black board both bow
    breeze bright broad buoy captain carry change clean cliff close coast come cook corner cross
    dark day deep distant down dry east edge engine every fall ferry find flag flood follow
    fresh full gentle gold grain grey half harbour haul helm hold horizon hull inland island
    keep knot land large late leave level light little long low map mast middle mist moor mouth
    near never noon oar old orange over pale pass pier plain port quay quiet reach reef ridge
    river rock rough rudder salt sea second shape shift ship short silver sleep small smooth
    soft south star steady steel stone stream summer swell tall tide toward town turn valley
    voyage wake warm water weather wharf white wind wood yellow
"""
WORDS = VOCABULARY.split()


def posts() -> list[dict[str, Any]]:
    """Return the same 100 posts at every call and on every version of Python."""
    # Of the random module only random() promises the same numbers for ever.
    draw = random.Random(1).random

    def words(count: int) -> list[str]:
        return [WORDS[int(draw() * len(WORDS))] for _ in range(count)]

    posts = []
    for number in range(1, COUNT + 1):
        post = {"userId": (number + 9) // 10, "id": number, "title": " ".join(words(5)), "body": ""}
        while len(json.dumps(post)) < LENGTH:
            post["body"] = f"{post['body']} {' '.join(words(1))}".strip()
        posts.append(post)
    return posts


class Command(BaseCommand):
    """Print the list as the app serialises it: `manage.py posts > myapp/expected/posts.json`."""

    help = "Print the list of posts that the outbound and Brotli endpoints answer with."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        """Write the JSON without a newline at its end."""
        self.stdout.write(json.dumps(posts()), ending="")
