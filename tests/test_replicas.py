"""La API repartida en réplicas con Ray Serve. Levanta un clúster: `pytest -m cluster tests/test_replicas.py`."""

import http.client
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def settings():
    from clase_8.servicio.launch import free_port
    from clase_8.servicio.settings import Settings

    return Settings(port=free_port(), queue=64)


@pytest.fixture(scope="module")
def post(settings):
    """Dos réplicas con motores de mentira; una función que les manda pedidos."""
    with pytest.MonkeyPatch.context() as patch:
        # Los procesos de Ray tienen que encontrar los motores de mentira, que están con las pruebas.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        import ray
        from fake_service import load
        from ray import serve

        from clase_8.servicio import lote, replicas

        lote.connect()
        replicas.start(settings)
        serve.run(replicas.application(settings, load, min_replicas=2, max_replicas=2))
        yield lambda path, body: _request(settings.port, "POST", path, body)
        serve.shutdown()
        ray.shutdown()


def _request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.getheader("X-Replica")
    finally:
        connection.close()


def test_both_replicas_answer_and_each_answer_is_the_one_asked_for(post):
    from fake_service import stars

    texts = [f"reseña {i}" for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: post("/v1/sentimiento", {"textos": [text]}), texts))
    assert all(status == 200 for status, _, _ in found)
    assert [answer["resultados"][0]["estrellas"] for _, answer, _ in found] == list(map(stars, texts))
    assert len({name for _, _, name in found}) == 2


def test_any_replica_goes_on_with_a_conversation(post):
    names, state, said = set(), None, []
    for turn in range(20):
        body = {"mensaje": f"mensaje {turn}"} | ({"estado": state} if state else {})
        status, answer, name = post("/v1/bot", body)
        assert status == 200
        state = answer["estado"]
        said.append(body["mensaje"])
        names.add(name)
        assert answer["respuesta"] == " | ".join(said[-20:])
    assert len(names) == 2


def test_a_state_nobody_signed_is_refused(post):
    assert post("/v1/bot", {"mensaje": "hola", "estado": "inventado"})[0] == 400


def test_the_page_is_not_served(post, settings):
    assert _request(settings.port, "GET", "/")[0] == 404
    assert _request(settings.port, "GET", "/listo")[0] == 200


def test_limits_of_the_api_are_those_of_the_service(post):
    assert post("/v1/sentimiento", {"textos": []})[0] == 422
    assert post("/v1/sentimiento", {"textos": ["x" * 3_000_000]})[0] == 413
