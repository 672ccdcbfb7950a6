"""Reports of a clients' run: a module a format, with `files(report)`; the folder is the list."""
