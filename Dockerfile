# The server alone: what requirements.lock names, and Scrip as a wheel. No compiler, no Node, not root.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
RUN python -m venv /scrip \
 && pip install --no-cache-dir --require-hashes -r requirements-build.lock \
 && /scrip/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /scrip/bin/pip install --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.13-slim
RUN useradd --create-home --home-dir /data scrip
COPY --from=build /scrip /scrip
ENV PATH=/scrip/bin:$PATH PYTHONUNBUFFERED=1 SCRIP_DATA_DIR=/data/scrip
USER scrip
WORKDIR /data
# Without SCRIP_DATABASE_URL the database lives here.
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
# The server drains at SIGTERM within 10 s.
CMD ["scrip", "serve", "--host", "0.0.0.0"]
