"""El estado de una conversación, firmado: viaja con cada pedido y el servicio no guarda nada.

Así cualquier réplica puede seguir cualquier conversación. Va firmado y no cifrado: quien conversa puede
leerlo (son sus propios datos), pero no cambiarlo.
"""

from __future__ import annotations

import datetime
import hashlib

from itsdangerous import BadData, URLSafeTimedSerializer

MAX_STATE = 8000  # caracteres; el estado más largo al que puede llegar una conversación mide la mitad


class StateError(ValueError):
    """El estado que llegó no se puede usar; el mensaje dice por qué."""


class Signer:
    """Firma y comprueba estados.

    Parameters
    ----------
    key : str
        Quien la conoce puede fabricar estados.
    max_age : float
        Segundos que vale un estado desde que se firmó.
    """

    def __init__(self, key: str, max_age: float):
        options = {"digest_method": hashlib.sha256}
        self._serializer = URLSafeTimedSerializer(key, salt="bot/v1", signer_kwargs=options)
        self.max_age = max_age

    def sign(self, state: dict) -> str:
        """El estado como texto, comprimido y con su firma y su fecha."""
        return self._serializer.dumps(state)

    def read(self, text: str) -> dict:
        """El estado firmado en ``text``.

        Raises
        ------
        StateError
            Si es demasiado largo, si la firma no corresponde o si venció. La firma se comprueba antes
            de descomprimir, así que nadie puede mandar un texto corto que se infle.
        """
        if len(text) > MAX_STATE:
            raise StateError(f"El estado pasa de {MAX_STATE} caracteres: no lo emitió este servicio.")
        try:
            state, signed = self._serializer.loads(text, return_timestamp=True)
        except (BadData, UnicodeError):  # UnicodeError: un medio carácter, que no se puede codificar
            raise StateError("El estado no tiene una firma de este servicio.") from None
        # La edad se mira acá y no con max_age, que rechaza también las fechas futuras: dos réplicas pueden
        # tener los relojes corridos un segundo.
        if (datetime.datetime.now(datetime.UTC) - signed).total_seconds() > self.max_age:
            raise StateError("El estado venció: mandá el mensaje sin estado para empezar otra conversación.")
        return state
