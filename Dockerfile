# El servicio de la clase 8, con su modelo adentro. Se construye desde la raíz del repositorio:
#   docker build -t portfolio-nlp-servicio . && docker run --rm -p 8000:8000 portfolio-nlp-servicio
FROM python:3.11.13-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_TEMP_DIR=/tmp/gradio \
    TOKENIZERS_PARALLELISM=false \
    SERVICIO_DIRECCION=0.0.0.0

WORKDIR /app

# Las versiones están en un solo lugar, requirements.txt; de ahí se toma solo lo que el servicio importa.
# La variante de PyTorch para CPU pesa diez veces menos: se pide con
#   docker build --build-arg PIP_EXTRA_INDEX_URL=DIRECCIÓN, la del índice de CPU que da su documentación.
ARG PIP_EXTRA_INDEX_URL
COPY requirements.txt ./
RUN sed -nE 's/^((numpy|pandas|scikit-learn|tqdm|spacy|torch|transformers|tokenizers|fastapi|uvicorn|gradio|itsdangerous|prometheus-client|httpx|onnxruntime)==[^ ]+).*/\1/p' \
        requirements.txt > servicio.txt \
    && pip install --no-cache-dir --disable-pip-version-check -r servicio.txt \
    && useradd --system --uid 10001 --no-create-home servicio

# Lo que entra lo decide .dockerignore.
COPY utils/ utils/
COPY clase_8/ clase_8/

USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/listo', timeout=4)"]
CMD ["python", "-m", "clase_8.servicio"]
