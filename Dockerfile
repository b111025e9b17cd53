ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The environment holds what the service needs and no pip: nothing can be installed into it later.
RUN python -m venv --without-pip /opt/hooks
COPY requirements.lock ./
RUN pip --python /opt/hooks install --quiet --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY hooks ./hooks
RUN pip --python /opt/hooks install --quiet --no-deps . \
    && pip --python /opt/hooks check
# Nobody can write bytecode later, so all of it is here, and valid whatever a copy does to times.
RUN /opt/hooks/bin/python -m compileall -q -j 0 -x "/_py2[.]py$" --invalidation-mode unchecked-hash /opt/hooks/lib

FROM python:${PYTHON}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="okta-atlassian-hooks" \
      org.opencontainers.image.description="Receives Okta event hooks and removes the Atlassian group memberships that Okta leaves behind." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 hooks \
    && useradd --uid 10001 --gid hooks --no-create-home --home-dir /data --shell /usr/sbin/nologin hooks \
    && install -d -o hooks -g hooks -m 0700 /data
COPY --from=build /opt/hooks /opt/hooks
# The base image has no bytecode of the standard library: this writes that of what we import.
RUN /opt/hooks/bin/python -c "import hooks.serve, hooks.cli, hooks.store.schema, alembic.command" \
    && test "$(/opt/hooks/bin/hooks --version)" = "hooks ${VERSION}"
ENV PATH=/opt/hooks/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOOKS_CONFIG=/etc/hooks/hooks.toml
USER 10001:10001
# The one place that is written to: hooks.db, unless HOOKS_DATABASE_URL names another database.
WORKDIR /data
VOLUME /data
EXPOSE 8080
# Asks the public listener; override it where [listen] public has another port.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-IS", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8080, timeout=2); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["hooks"]
CMD ["serve"]
