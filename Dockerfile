# Stage 1 builds the wheel; stage 2 holds Python, the wheel and nothing of the build, no compiler either.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
# 1: the core compiled by mypyc (docs/deployment.md).
ARG TRUNKGATE_COMPILE=0
WORKDIR /src
COPY pyproject.toml setup.py README.md ./
COPY edge edge
COPY limits limits
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && pip wheel --no-cache-dir --wheel-dir /wheels "$(ls /wheels/trunkgate-*.whl)[embedded,otel,postgres]"

FROM python:3.11-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels "trunkgate[embedded,otel,postgres]" \
    && useradd --system --uid 10001 --home-dir /var/lib/trunkgate --create-home trunkgate \
    && mkdir -p /etc/trunkgate
COPY docs/examples/policy.toml /etc/trunkgate/policy.toml
# By number: Kubernetes can then see that it is not root.
USER 10001
WORKDIR /var/lib/trunkgate
VOLUME /var/lib/trunkgate
# Every option of `edge run` is an environment variable. Listening on all addresses of the container is what publishing
# a port needs; /advertise=HOST:PORT is what neighbours are told (docs/operate.md): set it to the host's own address.
ENV EDGE_POLICY=/etc/trunkgate/policy.toml \
    EDGE_LISTEN=udp:0.0.0.0:5060/advertise=127.0.0.1:5060 \
    EDGE_REDIS=embedded \
    EDGE_STATE=/var/lib/trunkgate \
    EDGE_LOG=json \
    EDGE_METRICS=0.0.0.0:9464
# The admin API where EDGE_ADMIN names an address (docs/api.md): 8443 by habit.
EXPOSE 5060/udp 9464/tcp 8443/tcp
# OPTIONS to itself: 200 while it takes calls, 503 while it drains, silence when it hangs.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["edge", "ping", "udp:127.0.0.1:5060"]
# SIGTERM drains: give `docker stop` more time than EDGE_DRAIN_S.
STOPSIGNAL SIGTERM
ENTRYPOINT ["edge"]
CMD ["run"]
