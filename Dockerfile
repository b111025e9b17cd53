# infra/README.md says how to pin it by its digest.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The environment holds what the service needs and no pip: nothing can be installed into it later.
# What builds the package is pinned too, and stays in an environment of its own.
RUN python -m venv --without-pip /opt/hooks && python -m venv --without-pip /opt/build
COPY requirements.lock requirements-build.lock ./
RUN pip --python /opt/hooks install --quiet --no-deps --require-hashes -r requirements.lock \
    && pip --python /opt/build install --quiet --no-deps --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY hooks ./hooks
RUN pip --python /opt/build wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/hooks install --quiet --no-deps --no-index /wheels/*.whl \
    && pip --python /opt/hooks check
# Nobody can write bytecode later, so all of it is here, and valid whatever a copy does to times.
RUN /opt/hooks/bin/python -m compileall -q -j 0 -x "/_py2[.]py$" --invalidation-mode unchecked-hash /opt/hooks/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="okta-atlassian-hooks" \
      org.opencontainers.image.description="Receives Okta event hooks and removes the Atlassian group memberships that Okta leaves behind." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# Of the base goes what could install something, or make more of whoever runs here.
RUN python -m pip uninstall --quiet --yes --root-user-action ignore pip \
    && rm -rf "$(python -c 'import ensurepip; print(*ensurepip.__path__)')" /usr/local/bin/pip* \
    && find / -xdev -type f -perm /6000 -exec chmod ug-s {} + \
    && groupadd --gid 10001 hooks \
    && useradd --uid 10001 --gid hooks --no-create-home --home-dir /data --shell /usr/sbin/nologin hooks \
    && install -d -o hooks -g hooks -m 0700 /data
COPY --from=build /opt/hooks /opt/hooks
# The base image has no bytecode of the standard library: this writes that of what we import.
RUN /opt/hooks/bin/python -c "import hooks.serve, hooks.cli, hooks.store.schema, alembic.command" \
    && test "$(/opt/hooks/bin/hooks --version)" = "hooks ${VERSION}"
# Each thread would have memory of its own that never goes back: large deliveries are read in one
# thread and stored in another, and what the largest needed would be kept twice and more.
ENV MALLOC_ARENA_MAX=2
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
