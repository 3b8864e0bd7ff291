"""El servidor entero, en otro proceso: sobrecarga, apagado con carga y arranques que fallan."""

import asyncio
import json
import os
import re
import sys
import time

import httpx
import pytest
from conftest import ROOT
from fake_service import stars

from clase_8.servicio.launch import LaunchError, serving
from clase_8.servicio.load import measure

FAKE = (sys.executable, str(ROOT / "tests" / "fake_service.py"))
NO_PAGE = {"SERVICIO_PAGINA": "no"}


def events(server):
    """Los registros del servidor, que son todos JSON salvo el saludo."""
    return [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]


def memory(url):
    """La memoria del servidor, en MB, según él mismo."""
    text = httpx.get(f"{url}/metrics").text
    return float(re.search(r"^process_resident_memory_bytes (\S+)", text, re.M)[1]) / 2**20


async def post(client, url, text):
    """El código de respuesta, si la respuesta era la de este texto, y los encabezados."""
    answer = await client.post(f"{url}/v1/sentimiento", json={"textos": [text]})
    right = answer.status_code != 200 or answer.json()["resultados"][0]["estrellas"] == stars(text)
    return answer.status_code, right, answer.headers


def unlimited():
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60)


async def offer(url, per_second, seconds):
    """Manda pedidos a ritmo fijo, sin esperar las respuestas, y después las junta."""
    async with unlimited() as client:
        start, tasks = time.monotonic(), []
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0, start + number / per_second - time.monotonic()))
            tasks.append(asyncio.create_task(post(client, url, f"reseña {number}")))
        return await asyncio.gather(*tasks)


@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.larga)])
def test_four_times_its_capacity(seconds):
    """Ni se cae ni pierde ni mezcla respuestas, y atiende lo que puede, con la memoria quieta."""
    step, batch = 0.1, 4
    capacity = batch / step  # textos por segundo
    options = {"FALSO_SEGUNDOS": str(step), "SERVICIO_LOTE": str(batch), "SERVICIO_COLA": "20"}
    with serving(FAKE, **NO_PAGE, **options) as server:
        asyncio.run(offer(server.url, capacity, 1))
        before = memory(server.url)
        answers = asyncio.run(offer(server.url, 4 * capacity, seconds))
        assert len(answers) == int(4 * capacity * seconds)  # ninguno sin respuesta
        assert all(right for _, right, _ in answers)  # ninguna de otro
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {200, 503}
        assert all(int(headers["retry-after"]) >= 1 for status, _, headers in answers if status == 503)
        assert statuses.count(200) > 0.5 * capacity * seconds
        assert memory(server.url) - before < 20
        assert httpx.get(f"{server.url}/listo").status_code == 200


def test_terminate_under_load():
    """Con SIGTERM se contesta todo lo aceptado, se deja de aceptar y se termina."""

    async def check(server):
        async with unlimited() as client:
            tasks = [asyncio.create_task(post(client, server.url, f"texto {i}")) for i in range(40)]
            while True:  # hasta que los cuarenta están adentro
                text = (await client.get(f"{server.url}/metrics")).text
                answered = sum(task.done() for task in tasks)
                if answered + float(re.search(r'pendientes{motor="sentimiento"} (\S+)', text)[1]) >= 40:
                    break
            server.process.terminate()
            answers = await asyncio.gather(*tasks)
        assert answered < 40  # si no, no había carga
        assert all((status, right) == (200, True) for status, right, _ in answers)

    with serving(FAKE, FALSO_SEGUNDOS="0.2", SERVICIO_LOTE="2", SERVICIO_COLA="64", **NO_PAGE) as server:
        asyncio.run(check(server))
        assert server.process.wait(20) in (0, -15, 143)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.url}/salud")
        found = events(server)
        served = [one for one in found if one["evento"] == "peticion" and one["ruta"] == "/v1/sentimiento"]
        assert [one["codigo"] for one in served] == [200] * 40
        assert "apagado" in [one["evento"] for one in found]


def test_a_huge_body_gets_its_answer():
    """También por la red, donde quien manda todavía está escribiendo cuando se lo rechaza."""
    with serving(FAKE, **NO_PAGE) as server:
        for size in (3, 20):
            huge = json.dumps({"textos": ["a" * (size * 2**20)]}).encode()
            answer = httpx.post(f"{server.url}/v1/sentimiento", content=huge, timeout=30)
            assert answer.status_code in (413, 422), answer.text
        assert httpx.get(f"{server.url}/salud").status_code == 200


def test_load_is_measured():
    with serving(FAKE, FALSO_SEGUNDOS="0.02", **NO_PAGE) as server:
        load = measure(f"{server.url}/v1/sentimiento", [{"textos": ["hola"]}], clients=4, seconds=1)
    assert set(load.statuses) == {"200"}
    assert len(load.latencies) == load.statuses["200"]
    assert 20 <= load.percentile(50) <= load.percentile(99)
    assert 0 < load.per_second < 4 / 0.02 * 1.1


def test_wrong_settings_do_not_start():
    failed = pytest.raises(LaunchError, match="SERVICIO_COLA: tiene que ser como mínimo 1")
    with failed, serving(FAKE, SERVICIO_COLA="0"):
        pass


def test_without_the_model_it_says_what_to_do(tmp_path):
    """El programa de verdad, con una carpeta vacía: código 1 y un consejo, y no una traza."""
    code = (
        "import sys; from clase_8.servicio.__main__ import main; "
        "from clase_8.servicio.classifier import Classifier; "
        "sys.exit(main(lambda settings: Classifier(settings.model)))"
    )
    command = (sys.executable, "-c", code)
    failed = pytest.raises(LaunchError, match=r"código 1:[\s\S]*exportar")
    with failed, serving(command, SERVICIO_MODELO=str(tmp_path), **NO_PAGE):
        pass


def test_it_leaves_nothing_running():
    with serving(FAKE, **NO_PAGE) as server:
        number = server.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
