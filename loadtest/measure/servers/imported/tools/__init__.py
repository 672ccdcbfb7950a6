"""Load generators whose text is read, a module each: the folder is the list.

Each has `NAME`; `end(lines, start, stop, command)`, which says where a text of its own that begins
at a line ends, None where it is none; and `parse(lines, command, typed)`, which returns what it
says as a `Text` or raises TextError.
"""
