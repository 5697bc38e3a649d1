# Action Units on CPUs. docs/installation.md says how to build and run it.
FROM python:3.11-slim-bookworm

ENV PATH=/opt/environment/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1

# PyTorch's build without CUDA, gigabytes smaller; PyPI does not have it.
ARG TORCH="--index-url https://download.pytorch.org/whl/cpu torch==2.13.0"
# hadolint ignore=DL3013,SC2086
RUN python3 -m venv /opt/environment && pip install --no-cache-dir $TORCH

WORKDIR /action-units
COPY LICENSE README.md pyproject.toml requirements.lock ./
COPY tools tools
COPY src src
RUN pip install --no-cache-dir -c requirements.lock -e '.[live,onnx,ssd]' && \
    python3 -m compileall -q src
COPY conf conf
COPY notebooks notebooks

# Nothing in the image belongs to the user, who writes into data/ and /tmp alone.
RUN mkdir -m 777 data
ENV PYTHONDONTWRITEBYTECODE=1
USER 1000:1000
VOLUME /action-units/data
CMD ["kedro", "run"]
