# One image for the web process and the workers. Runs as a user without rights, on a read-only root.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock /tmp/requirements.lock
RUN python -m venv /opt/accord/venv && /opt/accord/venv/bin/pip install -r /tmp/requirements.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/accord accord
COPY --from=build /opt/accord/venv /opt/accord/venv
COPY --chown=root:root . /opt/accord/app
WORKDIR /opt/accord/app
ENV PATH=/opt/accord/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ACCORD_MODE=production \
    ACCORD_STATE_DIR=/var/lib/accord \
    HF_HOME=/var/lib/accord/hub
USER 10001
VOLUME /var/lib/accord
EXPOSE 8000
# SIGTERM lets granian finish its requests and a worker its step.
STOPSIGNAL SIGTERM
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", "config.wsgi:application"]
