FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/hooks
WORKDIR /src
COPY requirements.lock ./
RUN /opt/hooks/bin/pip install --quiet --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY hooks ./hooks
RUN /opt/hooks/bin/pip install --quiet --no-deps .

FROM python:3.12-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data hooks \
    && install -d -o hooks -g hooks -m 0700 /data
COPY --from=build /opt/hooks /opt/hooks
ENV PATH=/opt/hooks/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOOKS_CONFIG=/etc/hooks/hooks.toml \
    HOOKS_DATABASE_URL=sqlite:////data/hooks.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
# Asks the public listener; override it where [listen] public has another port,
# or where `serve --only-worker` opens none.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["hooks"]
CMD ["serve"]
