# Images from lock files: `server` has the app and every server, `loadtest` the generator and the
# reports as well, `agent` the generator and what carries messages between machines. Code is
# copied last, so that a change of it installs nothing again.
#
#   docker build --target server --tag loadtest-server .
#
# Where packages come through a proxy with a certificate of its own, name both as build secrets
# (`--secret id=ca,src=ca.pem --secret id=pip,src=pip.conf`): they are in no layer of any image.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app HOME=/tmp
WORKDIR /app

# Wheels alone, each by its hash: there is no compiler in here, and none is needed.
FROM base AS packages
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_QUIET=1 PIP_ONLY_BINARY=:all: \
    PIP_REQUIRE_HASHES=1 PIP_CONFIG_FILE=/run/secrets/pip PIP_ROOT_USER_ACTION=ignore
COPY requirements.lock pyproject.toml ./
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip \
    python -m venv /venv \
    && if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && sed -n '/^pip==/,/[^\\]$/p' requirements.lock > pip.txt \
    && pip install --requirement pip.txt \
    && pip install --constraint requirements.lock --group app --group servers --group serve

FROM packages AS engine-packages
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' >engine.txt \
    && pip install --constraint requirements.lock --requirement engine.txt \
    && pip uninstall --yes pip

FROM packages AS agent-packages
COPY requirements-agents.lock ./
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && pip install --requirement requirements-agents.lock \
    && pip uninstall --yes pip

FROM packages AS server-packages
RUN pip uninstall --yes pip

# Compiled here, because where it runs nothing can be written.
FROM base AS code
COPY . .
# The interpreter is where `loadtest.toml` says.
RUN python -m compileall -q . && ln -s /venv .venv

FROM base AS server
COPY --from=server-packages /venv /venv
COPY --from=code /app /app
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["python", "-m", "loadtest.bench.servers.compose.serve"]

FROM base AS generator
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends wrk=4.1.0-* >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/*

FROM generator AS agent
COPY --from=agent-packages /venv /venv
COPY --from=code /app /app
USER 10001:10001
ENTRYPOINT ["python", "-m", "loadtest", "agent"]

FROM generator AS loadtest
COPY --from=engine-packages /venv /venv
COPY --from=code /app /app
# Whoever owns the folder that is mounted as `results` owns what is written there.
ENTRYPOINT ["sh", "-c", "exec setpriv --reuid=$(stat -c %u results) --regid=$(stat -c %g results) --clear-groups python -m loadtest \"$@\"", "loadtest"]
