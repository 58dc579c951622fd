# syntax=docker/dockerfile:1
# Targets: `serve` (the default; no torch) and `train` (torch, for retraining beside the service).

FROM python:3.13-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/app/.venv/bin:$PATH HOME=/tmp
WORKDIR /app

FROM base AS build
# uv, not pip: see docs/decisions/0003-dependencies.md. Hashes are checked; nothing is taken that was not resolved before.
RUN python -m pip install --no-cache-dir uv==0.13.8 && python -m venv .venv
COPY requirements/base.txt requirements/
RUN uv pip install --no-cache --python .venv/bin/python --require-hashes -r requirements/base.txt
COPY pyproject.toml README.md LICENSE alembic.ini invigil.py ./
COPY migrations migrations
COPY embedding embedding
COPY index index
COPY service service
COPY training training
RUN uv pip install --no-cache --python .venv/bin/python --no-deps -e . \
    && python -m compileall -q -j 0 .venv embedding index service training invigil.py

FROM build AS train-build
COPY requirements/train.txt requirements/
RUN uv pip install --no-cache --python .venv/bin/python --require-hashes -r requirements/train.txt

FROM base AS runtime
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin invigil \
    && install -d -o invigil -g invigil /data
ENV INVIGIL_DATA_DIR=/data
VOLUME /data
ENTRYPOINT ["invigil"]

FROM runtime AS train
# torch.compile writes C++ for the processor at hand.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY --from=train-build /app /app
USER 10001
CMD ["train", "--help"]

FROM runtime AS serve
COPY --from=build /app /app
USER 10001
EXPOSE 8000
# The start verifies the bundle and loads every template: give it time before it counts as unwell.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
