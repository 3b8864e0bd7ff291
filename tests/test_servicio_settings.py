"""La configuración del servicio y el estado firmado."""

import base64
import time
import zlib

import pytest

from clase_8.servicio.settings import PREFIX, Settings, SettingsError, load_settings
from clase_8.servicio.state import MAX_STATE, Signer, StateError

KEY = "una clave de prueba cualquiera"


def test_nothing_is_required():
    assert load_settings({}) == Settings()


def test_every_variable_is_read():
    values = {"DIRECCION": "0.0.0.0", "PUERTO": "81", "MODELO": "/m", "CLAVE": KEY, "ESTADO_HORAS": "0.5"}
    values |= {"CUERPO_BYTES": "2048", "COLA": "7", "PLAZO": "1.5", "LOTE": "3", "HILOS": "2", "PAGINA": "no"}
    found = load_settings({PREFIX + name: value for name, value in values.items()} | {"PATH": "/bin"})
    shown = {name: str(getattr(found, name)) for name in Settings.model_fields if name != "key"}
    assert shown == {
        "host": "0.0.0.0",
        "port": "81",
        "model": "/m",
        "state_hours": "0.5",
        "body_bytes": "2048",
        "queue": "7",
        "deadline": "1.5",
        "batch": "3",
        "threads": "2",
        "page": "False",
    }
    assert found.key.get_secret_value() == KEY
    assert KEY not in repr(found)


def test_empty_is_as_if_it_were_not_there():
    assert load_settings({"SERVICIO_CLAVE": "", "SERVICIO_PUERTO": ""}) == Settings()


def test_problems_come_together_and_without_the_values():
    wrong = {
        "SERVICIO_PUERTO": "muchos",
        "SERVICIO_COLA": "0",
        "SERVICIO_CLAVE": "corta",
        "SERVICIO_PUERT": "1",
    }
    with pytest.raises(SettingsError) as error:
        load_settings(wrong)
    lines = sorted(str(error.value).splitlines()[1:])
    assert lines == [
        "  SERVICIO_CLAVE: tiene que medir al menos 16 caracteres",
        "  SERVICIO_COLA: tiene que ser como mínimo 1",
        "  SERVICIO_PUERT: no existe esa variable",
        "  SERVICIO_PUERTO: tiene que ser un número entero",
    ]


def test_cores():
    assert Settings(threads=3).cores == 3
    assert Settings().cores >= 1


@pytest.fixture
def signer():
    return Signer(KEY, max_age=60)


def test_what_is_signed_is_read_anywhere(signer):
    assert Signer(KEY, max_age=60).read(signer.sign({"a": ["ñ", 1, None]})) == {"a": ["ñ", 1, None]}


def test_any_changed_character_is_refused(signer):
    signed = signer.sign({"trámite": "reserva"})
    for place in range(len(signed) - 1):  # el último carácter de base64 tiene bits que no cuentan
        other = "A" if signed[place] != "A" else "B"
        with pytest.raises(StateError):
            signer.read(signed[:place] + other + signed[place + 1 :])


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "ñandú", "\ud83d", "x" * (MAX_STATE + 1), "\x00"])
def test_what_was_never_signed_is_refused(signer, text):
    with pytest.raises(StateError):
        signer.read(text)


def test_another_key_is_refused(signer):
    with pytest.raises(StateError, match="firma"):
        Signer("otra clave, igual de larga", max_age=60).read(signer.sign({}))


def test_a_bomb_is_not_inflated(signer, monkeypatch):
    bomb = base64.urlsafe_b64encode(zlib.compress(b"0" * 1_000_000)).decode().rstrip("=")
    monkeypatch.setattr(zlib, "decompress", lambda *args: pytest.fail("descomprimió algo sin firma"))
    with pytest.raises(StateError):
        signer.read(f".{bomb}.aaaa.bbbb")


def test_it_expires_and_tolerates_a_clock_ahead(signer, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 61)  # la fecha la pone itsdangerous con time.time
    old = signer.sign({})
    monkeypatch.setattr(time, "time", lambda: now + 2)
    ahead = signer.sign({})
    monkeypatch.undo()
    with pytest.raises(StateError, match="venció"):
        signer.read(old)
    assert signer.read(ahead) == {}
