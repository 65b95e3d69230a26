# An image that trains on first start and serves on port 8000. Written where no container engine runs: not built yet.
#   docker build -t tagger .
#   docker run -p 127.0.0.1:8000:8000 -v tagger-models:/srv/tagger/models -v tagger-state:/srv/tagger/state \
#       -v "$PWD/seeds:/srv/tagger/seeds" tagger
# Port 8000 is open to other machines inside the container, so make a key first:
#   docker run -v tagger-state:/srv/tagger/state tagger tagger keys create desk --scopes tag,review,admin
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/tagger
COPY pyproject.toml constraints.txt README.md ./
COPY tagger tagger
RUN python -m venv /opt/tagger \
    && /opt/tagger/bin/pip install --no-cache-dir --no-compile --constraint constraints.txt .

FROM python:3.11-slim
COPY --from=build /opt/tagger /opt/tagger
ENV PATH=/opt/tagger/bin:$PATH TAGGER_HOST=0.0.0.0
RUN useradd --system --home-dir /srv/tagger tagger && mkdir -p /srv/tagger/models /srv/tagger/state \
    && chown -R tagger /srv/tagger
WORKDIR /srv/tagger
COPY --chown=tagger seeds seeds
USER tagger
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live')"]
CMD ["sh", "-c", "[ -e models/live ] || tagger train; exec tagger serve"]
