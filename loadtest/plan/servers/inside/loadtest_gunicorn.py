"""The configuration of every Gunicorn, in the place of a gunicorn.conf.py of the project.

What a Gunicorn does not know yet (here, before 25.1) it passes over, as it would not on its command
line.
"""

control_socket_disable = True  # else a socket for `gunicornc` is opened in the home folder
