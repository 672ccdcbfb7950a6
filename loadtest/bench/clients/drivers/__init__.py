"""HTTP clients to compare: the folder is the list, a file a client.

Each is read by the engine as text and imported by a child interpreter alone, which may be another
Python in another environment. So a file imports the standard library and its one client, nothing
of this project, and no other file of this folder. It declares, as literals:

TITLE     what a person calls it
REQUIRES  the distributions it needs, its own first
KIND      `sync` or `async`: whether the three functions below are coroutines
HTTP      the versions it can speak, of `1.1` and `2`
LOCK      the lock file beside it that its environment is made from

and defines `opened` (a session, with a pool for so many calls at once), `get` (one call: status
and whole body, no redirect followed) and `closed`. A setting is given to the client only where its
default would not do, so that what is measured is what a user gets.
"""
