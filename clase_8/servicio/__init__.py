"""El servicio de la clase 8: estrellas de una reseña, resúmenes, palabras tapadas y el bot de la clase 2.

    python -m clase_8.servicio          # o `make servir`

Un módulo por idea: :mod:`settings` lee la configuración, :mod:`classifier` corre el modelo, :mod:`masking`
adivina palabras, :mod:`bot` conversa, :mod:`state` firma el estado de una conversación, :mod:`batching`
junta pedidos en tandas, :mod:`telemetry` cuenta y registra, :mod:`app` arma la API y :mod:`page`, la página.
:mod:`exportar` hace el modelo que se sirve.
"""
