"""La configuración: variables de entorno ``SERVICIO_…``, comprobadas antes de empezar a servir.

Ninguna es obligatoria. Una desconocida es un error y no algo que se ignora: quien escribe
``SERVICIO_PUERT`` cree haber cambiado el puerto.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "SERVICIO_"
HERE = Path(__file__).resolve().parent


class SettingsError(ValueError):
    """La configuración no sirve; el mensaje dice qué variable y por qué."""


class Settings(BaseModel):
    """Lo que se puede configurar, con su valor por omisión.

    Attributes
    ----------
    host, port
        ``SERVICIO_DIRECCION`` y ``SERVICIO_PUERTO``: dónde escucha.
    model
        ``SERVICIO_MODELO``: la carpeta del clasificador, la que escribe ``exportar``.
    key
        ``SERVICIO_CLAVE``: con qué se firma el estado del bot. Las réplicas tienen que compartirla; sin
        ella se sortea una al arrancar, y las conversaciones no sobreviven al proceso.
    state_hours
        ``SERVICIO_ESTADO_HORAS``: cuánto vale un estado firmado.
    body_bytes
        ``SERVICIO_CUERPO_BYTES``: el cuerpo más grande que se lee.
    queue
        ``SERVICIO_COLA``: cuántos textos pueden esperar a cada motor; con más, 503.
    deadline
        ``SERVICIO_PLAZO``: segundos que puede tardar un pedido; con más, 504.
    batch
        ``SERVICIO_LOTE``: textos por tanda, a lo sumo.
    threads
        ``SERVICIO_HILOS``: hilos de cálculo; 0 son tantos como procesadores.
    page
        ``SERVICIO_PAGINA``: si se sirve la página; una réplica que solo atiende la API no la necesita.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, extra="forbid", frozen=True)

    host: Annotated[str, Field(alias=f"{PREFIX}DIRECCION", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(alias=f"{PREFIX}PUERTO", ge=1, le=65535)] = 8000
    model: Annotated[Path, Field(alias=f"{PREFIX}MODELO")] = HERE / "modelo"
    key: Annotated[SecretStr | None, Field(alias=f"{PREFIX}CLAVE", min_length=16)] = None
    state_hours: Annotated[float, Field(alias=f"{PREFIX}ESTADO_HORAS", gt=0, le=24 * 30)] = 24
    body_bytes: Annotated[int, Field(alias=f"{PREFIX}CUERPO_BYTES", ge=1024)] = 2 * 1024 * 1024
    queue: Annotated[int, Field(alias=f"{PREFIX}COLA", ge=1)] = 512
    deadline: Annotated[float, Field(alias=f"{PREFIX}PLAZO", gt=0, le=600)] = 10
    batch: Annotated[int, Field(alias=f"{PREFIX}LOTE", ge=1, le=256)] = 32
    threads: Annotated[int, Field(alias=f"{PREFIX}HILOS", ge=0, le=256)] = 0
    page: Annotated[bool, Field(alias=f"{PREFIX}PAGINA")] = True

    @property
    def cores(self) -> int:
        """Los hilos de cálculo, ya resuelto el 0."""
        return self.threads or os.cpu_count() or 1


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Lee y comprueba la configuración.

    Raises
    ------
    SettingsError
        Si una variable no existe o su valor no sirve, con todos los problemas juntos.
    """
    # Una variable vacía es como no ponerla: así la deja compose.yaml cuando quien lo usa no la definió.
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = [f"{issue['loc'][0]}: {_spanish(issue)}" for issue in error.errors()]
    raise SettingsError("La configuración no sirve:\n  " + "\n  ".join(problems))


def _spanish(issue) -> str:
    """El problema que encontró pydantic, sin repetir el valor: podría ser la clave."""
    if issue["type"] == "extra_forbidden":
        return "no existe esa variable"
    context = issue.get("ctx", {})
    limits = {"ge": "como mínimo", "gt": "más de", "le": "como máximo", "lt": "menos de"}
    for name, words in limits.items():
        if name in context:
            return f"tiene que ser {words} {context[name]:g}"
    if "min_length" in context:
        return f"tiene que medir al menos {context['min_length']} caracteres"
    kinds = {"int_parsing": "un número entero", "float_parsing": "un número", "bool_parsing": "true o false"}
    return f"tiene que ser {kinds[issue['type']]}" if issue["type"] in kinds else "no sirve ese valor"
