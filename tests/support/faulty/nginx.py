"""nginx, one worker as the generator has one thread: nginx.py PORT FOLDER."""

import os
import sys
from pathlib import Path

from apps import BODY

from loadtest.bench.load.nginx import binary

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    default_type application/json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        return 200 '{body}';
    }}
}}
"""

port, folder = sys.argv[1:]
path = Path(folder) / "nginx.conf"
path.write_text(CONFIGURATION.format(folder=folder, port=port, body=BODY.decode()))
nginx = str(binary())
os.execv(nginx, [nginx, "-p", folder, "-c", str(path), "-e", "stderr"])
