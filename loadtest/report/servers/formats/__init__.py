"""Reports of a run of servers: a module a format, with `files(report)`; the folder is the list."""
