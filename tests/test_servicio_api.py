"""La API, con motores de mentira: lo que contesta, lo que rechaza y lo que no dice."""

import concurrent.futures
import dataclasses
import itertools
import json
import logging
import re
import sys
import threading
import time

import fake_service
import pytest
from fake_service import BOOM, fake_engines, stars
from starlette.testclient import TestClient

from clase_8.servicio.app import create_app
from clase_8.servicio.schemas import MAX_MASKED, MAX_REVIEW, MAX_TEXTS
from clase_8.servicio.settings import Settings
from clase_8.servicio.state import MAX_STATE

KEY = "una clave de prueba cualquiera"


def connect(engines=None, **settings):
    """Un cliente de una aplicación con motores de mentira; hay que usarlo con ``with``."""
    settings = Settings(**({"page": False, "key": KEY} | settings))
    app = create_app(settings, load=lambda settings: engines or fake_engines())
    return TestClient(app, raise_server_exceptions=False)


def wait_ready(client):
    for _ in range(500):
        if client.get("/listo").status_code == 200:
            return client
        time.sleep(0.01)
    raise AssertionError("no estuvo listo")


@pytest.fixture(scope="module")
def client():
    with connect() as client:
        yield wait_ready(client)


def problem(response, status):
    """Comprueba la forma de un error y devuelve sus palabras."""
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error", "detalles"}
    return " ".join([response.json()["error"], *response.json()["detalles"]])


# --- lo que contesta ------------------------------------------------------------------------------


def test_sentiment_answers_each_text_in_order(client):
    texts = [f"reseña número {i}" for i in range(MAX_TEXTS)]
    results = client.post("/v1/sentimiento", json={"textos": texts}).json()["resultados"]
    assert [one["estrellas"] for one in results] == [stars(text) for text in texts]
    assert all(sum(one["probabilidades"]) == pytest.approx(1) for one in results)
    assert not any(one["recortado"] for one in results)


def test_summary(client):
    sentences = [
        f"Esta es la oración número {word} de un texto corto." for word in ("uno", "dos", "tres", "cuatro")
    ]
    found = client.post("/v1/resumen", json={"texto": " ".join(sentences), "oraciones": 2}).json()
    assert found["total"] == 4
    assert found["oraciones"] == [sentences[i] for i in found["posiciones"]]
    assert found["resumen"] == " ".join(found["oraciones"])
    assert len(found["oraciones"]) == 2


def test_a_text_that_cannot_be_summarised_says_why(client):
    assert "vacío" in problem(client.post("/v1/resumen", json={"texto": "¡!"}), 400)


def test_mask(client):
    found = client.post("/v1/mascara", json={"texto": "Sale el [MASK] y la [MASK].", "cantidad": 3}).json()
    assert [[word["palabra"] for word in place] for place in found["lugares"]] == [["sol"] * 3] * 2


def test_bot_goes_on_from_the_state(client):
    first = client.post("/v1/bot", json={"mensaje": "hola"}).json()
    second = client.post("/v1/bot", json={"mensaje": "chau", "estado": first["estado"]}).json()
    assert second["respuesta"] == "hola | chau"
    again = client.post("/v1/bot", json={"mensaje": "otra", "estado": first["estado"]}).json()
    assert again["respuesta"] == "hola | otra"  # desde un estado viejo se puede volver a seguir


def test_operations(client):
    assert client.get("/salud").json() == {"estado": "vivo"}
    assert client.get("/listo").json() == {"estado": "listo"}
    assert client.get("/docs").status_code == 200
    document = client.get("/openapi.json").json()
    count = document["components"]["schemas"]["SummaryRequest"]["properties"]["oraciones"]
    assert (count["type"], count["minimum"], count["maximum"], count["default"]) == ("integer", 1, 20, 3)
    paths = document["paths"]
    assert sorted(paths) == [
        "/listo",
        "/metrics",
        "/salud",
        "/v1/bot",
        "/v1/mascara",
        "/v1/resumen",
        "/v1/sentimiento",
    ]


def test_metrics_count_by_route_and_not_by_address(client):
    client.get("/cualquier/cosa")
    client.post("/v1/sentimiento", json={"textos": []})
    lines = client.get("/metrics").text
    assert 'servicio_peticiones_total{codigo="422",ruta="/v1/sentimiento"}' in lines
    assert 'servicio_latencia_segundos_bucket{le="0.1",ruta="/v1/sentimiento"}' in lines
    assert 'servicio_pendientes{motor="sentimiento"} 0.0' in lines
    assert "cualquier" not in lines


# --- lo que rechaza -------------------------------------------------------------------------------

MALFORMED = {
    "nada": (b"", 422, "falta|forma"),
    "a medias": (b'{"textos": ["a"', 422, "JSON"),
    "otra cosa": (b"hola", 422, "JSON"),
    "no es un objeto": (b'["a"]', 422, "objeto"),
    "no es UTF-8": (b'{"textos": ["\xff"]}', 400, "UTF-8"),
    "anidado sin fin": (b"[" * 100_000, 400, "UTF-8"),
    "un número enorme": (b'{"textos": ' + b"9" * 5000 + b"}", 400, "UTF-8"),
    "NaN": (b'{"textos": NaN}', 422, "lista"),
    "otro tipo": (b'{"textos": "hola"}', 422, "textos: tiene que ser una lista"),
    "un texto que no es": (b'{"textos": ["a", 7]}', 422, r"textos\.1: tiene que ser un texto"),
    "de más": (b'{"textos": ["a"], "inventado": 1}', 422, "hay un campo que no existe"),
    "de menos": (b"{}", 422, "textos: falta"),
    "ninguno": (b'{"textos": []}', 422, "al menos 1"),
    "vacío": (b'{"textos": [""]}', 422, r"textos\.0"),
    "medio emoji": (rb'{"textos": ["\ud83d"]}', 422, "Unicode"),
    "medio emoji en un nombre": (rb'{"textos": ["a"], "\ud83d": 1}', 422, "Unicode"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed_is_explained(client, case):
    body, status, message = MALFORMED[case]
    answer = client.post("/v1/sentimiento", content=body, headers={"Content-Type": "application/json"})
    said = problem(answer, status)
    assert re.search(message, said), said
    assert "inventado" not in said


def test_limits(client):
    def post(path, **body):
        return client.post(path, json=body)

    assert "más de 64" in problem(post("/v1/sentimiento", textos=["a"] * (MAX_TEXTS + 1)), 422)
    assert "más de 5000" in problem(post("/v1/sentimiento", textos=["a" * (MAX_REVIEW + 1)]), 422)
    assert post("/v1/sentimiento", textos=["a" * MAX_REVIEW]).json()["resultados"][0]["recortado"]
    assert "[MASK]" in problem(post("/v1/mascara", texto="sin tapar"), 422)
    assert "más de 240" in problem(post("/v1/mascara", texto="[MASK]" + "a" * MAX_MASKED), 422)
    assert "como máximo 20" in problem(post("/v1/resumen", texto="Hola.", oraciones=21), 422)
    for wrong in ("2", 2.5, True, None):
        assert "entero" in problem(post("/v1/resumen", texto="Hola.", oraciones=wrong), 422)
    assert post("/v1/resumen", texto="Hola.", oraciones=2.0).status_code == 200  # en JSON es el mismo número
    assert "más de" in problem(post("/v1/bot", mensaje="a", estado="x" * (MAX_STATE + 1)), 422)


def test_huge_bodies_are_cut(client):
    huge = b'{"textos": ["' + b"a" * (3 * 1024 * 1024) + b'"]}'
    headers = {"Content-Type": "application/json"}
    assert "grande" in problem(client.post("/v1/sentimiento", content=huge, headers=headers), 413)

    def unannounced():
        yield from (huge[i : i + 65536] for i in range(0, len(huge), 65536))

    assert "grande" in problem(client.post("/v1/sentimiento", content=unannounced(), headers=headers), 413)
    assert client.post("/v1/sentimiento", json={"textos": ["sigue andando"]}).status_code == 200


ODD = {
    "emojis": "😀🔥📚",
    "nulos": "a\x00b\x1b[31m",
    "marcas sueltas": "\u0301\u0301e\u0301\u200b",
    "de derecha a izquierda": "\u202eabc\u202c كتاب",
    "otros alfabetos": "пожалуйста 本 ภาษาไทย",
    "fuera del plano básico": "𝕳𝖔𝖑𝖆 \U0010ffff",
    "solo espacios": " \u2003\u00a0\ufeff",
    "separadores": "a\u2028b\u2029c\x85d",
    "HTML": "<script>alert(1)</script>",
}


@pytest.mark.parametrize("case", ODD)
def test_odd_unicode_is_answered(client, case):
    text = ODD[case]
    assert client.post("/v1/sentimiento", json={"textos": [text]}).json()["resultados"][0][
        "estrellas"
    ] == stars(text)
    assert client.post("/v1/bot", json={"mensaje": text}).json()["respuesta"] == text
    assert client.post("/v1/mascara", json={"texto": text + "[MASK]"}).status_code == 200
    assert client.post("/v1/resumen", json={"texto": text}).status_code in (200, 400)


def test_a_tampered_state_is_refused(client):
    signed = client.post("/v1/bot", json={"mensaje": "hola"}).json()["estado"]
    for wrong in (signed[:-3], "A" + signed, signed.swapcase(), "", "{}", signed.split(".")[0]):
        assert "estado" in problem(client.post("/v1/bot", json={"mensaje": "a", "estado": wrong}), 400)
    with connect(key="otra clave que también alcanza") as other:
        answer = wait_ready(other).post("/v1/bot", json={"mensaje": "a", "estado": signed})
        assert "firma" in problem(answer, 400)


def test_another_replica_with_the_same_key_goes_on(client):
    signed = client.post("/v1/bot", json={"mensaje": "hola"}).json()["estado"]
    with connect() as replica:
        answer = wait_ready(replica).post("/v1/bot", json={"mensaje": "sigo", "estado": signed})
        assert answer.json()["respuesta"] == "hola | sigo"


@pytest.mark.parametrize("page", [False, True])
def test_other_methods_and_addresses(page):
    with connect(page=page) as client:
        refused = client.get("/v1/sentimiento")
        assert "método" in problem(refused, 405)
        assert refused.headers["allow"] == "POST"
        assert "método" in problem(client.delete("/salud"), 405)
        if not page:
            assert "dirección" in problem(client.get("/no/existe"), 404)


# --- carga, fallas y registros --------------------------------------------------------------------


def test_with_no_room_it_says_when_to_come_back():
    release = threading.Event()

    def blocked(texts):
        release.wait(20)
        return fake_engines().classify(texts)

    def post(text):
        return text, client.post("/v1/sentimiento", json={"textos": [text]})

    engines = dataclasses.replace(fake_engines(), classify=blocked)
    with connect(engines, queue=4, batch=1) as client, concurrent.futures.ThreadPoolExecutor(12) as pool:
        wait_ready(client)
        calls = [pool.submit(post, f"texto {i}") for i in range(12)]
        answers = [call.result()[1] for call in itertools.islice(concurrent.futures.as_completed(calls), 8)]
        assert all("demasiados" in problem(answer, 503) for answer in answers)
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        release.set()
        served = [call.result() for call in calls if call.result()[1].status_code == 200]
        assert len(served) == 4
        for text, answer in served:
            assert answer.json()["resultados"][0]["estrellas"] == stars(text)


def test_more_texts_than_the_queue_holds_is_refused_at_once():
    with connect(queue=4) as client:
        wait_ready(client)
        problem(client.post("/v1/sentimiento", json={"textos": ["a"] * 5}), 503)
        assert client.post("/v1/sentimiento", json={"textos": ["a"] * 4}).status_code == 200


def test_past_the_deadline_it_gives_up():
    with connect(fake_engines(0.5), deadline=0.1) as client:
        wait_ready(client)
        assert "0.1 segundos" in problem(client.post("/v1/sentimiento", json={"textos": ["a"]}), 504)


def test_before_loading_it_is_alive_and_not_ready():
    release = threading.Event()

    def load(settings):
        release.wait(10)
        return fake_engines()

    app = create_app(Settings(page=False, key=KEY), load=load)
    with TestClient(app) as client:
        assert client.get("/salud").status_code == 200
        assert "cargando" in problem(client.get("/listo"), 503)
        answer = client.post("/v1/sentimiento", json={"textos": ["a"]})
        assert "cargando" in problem(answer, 503) and answer.headers["retry-after"]
        release.set()
        wait_ready(client)


def test_a_failure_to_load_is_told():
    failures = []

    def load(settings):
        raise RuntimeError("no está el modelo")

    app = create_app(Settings(page=False, key=KEY), load=load, on_failure=failures.append)
    with TestClient(app) as client:
        for _ in range(100):
            if failures:
                break
            time.sleep(0.01)
        assert str(failures[0]) == "no está el modelo"
        problem(client.get("/listo"), 503)


@pytest.fixture
def registered():
    """Los registros, como se escriben."""
    from clase_8.servicio.telemetry import JsonFormatter

    lines, formatter = [], JsonFormatter()

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(formatter.format(record))

    handler, logger = Keep(), logging.getLogger("servicio")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_logs_have_everything_but_the_texts(client, registered):
    secret = "miContraseñaEs1234"
    signed = client.post("/v1/bot", json={"mensaje": secret}).json()["estado"]
    client.post("/v1/sentimiento", json={"textos": [secret, 1]})
    client.post("/v1/sentimiento", json={"textos": [secret, BOOM]})
    client.post(f"/v1/{secret}", json={"mensaje": secret})
    client.post("/v1/bot", json={"mensaje": "a", "estado": signed[:-2]})
    entries = [json.loads(line) for line in registered]
    assert [one["codigo"] for one in entries if one["evento"] == "peticion"] == [200, 422, 500, 400]
    assert {"hora", "nivel", "evento", "id", "metodo", "ruta", "codigo", "ms"} == set(entries[0])
    assert secret not in "".join(registered) and signed[:20] not in "".join(registered)


def test_an_internal_failure_says_nothing(client):
    answer = client.post("/v1/sentimiento", json={"textos": [BOOM, "secreto"]})
    assert "registrado" in problem(answer, 500)
    assert "secreto" not in answer.text
    assert client.post("/v1/sentimiento", json={"textos": ["a"]}).status_code == 200


def test_an_exception_is_logged_by_kind_and_place():
    from clase_8.servicio.telemetry import JsonFormatter

    try:
        fake_engines().classify([BOOM])
    except ZeroDivisionError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, __file__, 1, "falló", (), sys.exc_info()
        )
    line = json.loads(JsonFormatter().format(record))
    assert line["excepcion"] == "ZeroDivisionError" and "fake_service.py" in line["donde"]
    assert "secreto" not in json.dumps(line)


def test_two_conversations_do_not_mix(client):
    def talk(name):
        state, answer = None, ""
        for turn in range(8):
            body = {"mensaje": f"{name}{turn}"} | ({"estado": state} if state else {})
            found = client.post("/v1/bot", json=body).json()
            state, answer = found["estado"], found["respuesta"]
        return answer

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(talk, "abcdefgh"))
    assert answers == [" | ".join(f"{name}{turn}" for turn in range(8)) for name in "abcdefgh"]


def test_engines_are_what_the_service_expects():
    assert [one.name for one in dataclasses.fields(fake_service.fake_engines())] == [
        "classify",
        "summarize",
        "fill",
        "reply",
    ]
