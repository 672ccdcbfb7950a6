"""A load that several machines make together: Locust carries messages, wrk makes the load.

Locust's port knows no authentication, and Locust patches the interpreter that it runs in. So it
runs in a process of its own (`link`) that holds no secret and starts nothing: it passes texts on,
and who reads them (`master`, `agent`) obeys only those that are signed (`signing`).
"""
