"""Lo que entra y lo que sale de cada punto de la API. De acá sale también su documentación."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from clase_8.servicio.masking import MASK
from clase_8.servicio.state import MAX_STATE

MAX_TEXTS = 64
MAX_REVIEW = 5_000
MAX_ARTICLE = 20_000  # unos segundos de cálculo, que no se interrumpen y hacen esperar a los demás
MAX_MASKED = 240  # a lo sumo una subpalabra por carácter: entra en las 256 posiciones del BERT incluido
MAX_MESSAGE = 2_000


def _whole(value):
    """Para JSON Schema, 20.0 también es un entero."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# En este orden: los límites son del entero; puestos después del validador no llegarían al documento.
Count = Annotated[int, Field(ge=1, le=20), BeforeValidator(_whole)]


class Request(BaseModel):
    """Lo común de los pedidos: un campo desconocido es un error, y no algo que se ignora."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SentimentRequest(Request):
    """Reseñas para calificar."""

    textos: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_REVIEW)]],
        Field(min_length=1, max_length=MAX_TEXTS, examples=[["La tela es linda y el talle quedó justo."]]),
    ]


class Sentiment(BaseModel):
    """Lo que se predice de una reseña."""

    estrellas: Annotated[int, Field(ge=1, le=5, description="La cantidad más probable.")]
    probabilidades: Annotated[
        list[float], Field(min_length=5, max_length=5, description="De 1, 2, 3, 4 y 5 estrellas.")
    ]
    recortado: Annotated[bool, Field(description="Si la reseña era tan larga que el final no contó.")]


class SentimentResponse(BaseModel):
    """Una predicción por texto, en el orden en que llegaron."""

    resultados: list[Sentiment]


class SummaryRequest(Request):
    """Un texto para resumir."""

    texto: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_ARTICLE,
            examples=["El faro se encendió en 1904. Lo cuidaban tres familias. Hoy es automático."],
        ),
    ]
    oraciones: Annotated[Count, Field(description="Cuántas oraciones, a lo sumo.")] = 3


class SummaryResponse(BaseModel):
    """Las oraciones elegidas, en el orden del texto."""

    resumen: str
    oraciones: list[str]
    posiciones: Annotated[list[int], Field(description="El lugar de cada una en el texto, desde 0.")]
    total: Annotated[int, Field(description="Cuántas oraciones tiene el texto.")]


class MaskRequest(Request):
    """Un texto con una o más palabras tapadas."""

    texto: Annotated[
        str,
        Field(
            max_length=MAX_MASKED,
            pattern=r"\[MASK\]",
            description=f"Con {MASK} en lugar de cada palabra que hay que adivinar.",
            examples=[f"Para solucionar los {MASK} del país, el presidente debe {MASK} de inmediato."],
        ),
    ]
    cantidad: Annotated[Count, Field(description="Palabras posibles para cada lugar.")] = 5


class Word(BaseModel):
    """Una palabra posible."""

    palabra: Annotated[str, Field(description="Empieza con ## si es solo el final de una palabra.")]
    probabilidad: Annotated[float, Field(ge=0, le=1)]


class MaskResponse(BaseModel):
    """Para cada palabra tapada, las posibles, de más a menos probable."""

    lugares: list[list[Word]]


class BotRequest(Request):
    """Un mensaje al bot, y el estado que devolvió el anterior."""

    mensaje: Annotated[str, Field(max_length=MAX_MESSAGE, examples=["Hola, quiero reservar Bodas de sangre"])]
    estado: Annotated[
        str | None,
        Field(
            max_length=MAX_STATE,
            description="El de la respuesta anterior, tal cual; sin él empieza una conversación.",
        ),
    ] = None


class BotResponse(BaseModel):
    """Lo que contesta el bot."""

    respuesta: str
    entendido: Annotated[str, Field(description="La intención que encontró, o qué hizo con el mensaje.")]
    estado: Annotated[str, Field(description="Hay que mandarlo con el mensaje siguiente. Va firmado.")]


class Health(BaseModel):
    """Cómo está el servicio."""

    estado: str


class Problem(BaseModel):
    """Un error, siempre con esta forma y sin repetir lo que se mandó."""

    error: Annotated[str, Field(description="Qué pasó y qué se puede hacer.")]
    detalles: Annotated[list[str], Field(description="Dónde, si el pedido no tiene la forma debida.")] = []
