"""Los cuatro motores del servicio: cargarlos, calentarlos y darles la forma que pide :mod:`batching`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clase_8.servicio.bot import Bot, Conversation
from clase_8.servicio.classifier import Classifier, Prediction
from clase_8.servicio.masking import MASK, MaskFiller
from clase_8.servicio.settings import Settings

if TYPE_CHECKING:
    from utils.summarization import Summary


@dataclass(frozen=True)
class Engines:
    """Una función por servicio, cada una de una lista de pedidos a la lista de sus resultados.

    Attributes
    ----------
    classify
        De textos a :class:`~clase_8.servicio.classifier.Prediction`.
    summarize
        De (texto, cuántas oraciones) a ``Summary`` o ``SummaryError`` de :mod:`utils.summarization`.
    fill
        De (texto, cuántas palabras) a lo que devuelve :meth:`~clase_8.servicio.masking.MaskFiller.fill`.
    reply
        De (mensaje, estado o ``None``) a (lo que entendió, respuesta, estado nuevo).
    """

    classify: Callable[[Sequence[str]], list[Prediction]]
    summarize: Callable[[Sequence[tuple[str, int]]], list[Summary | Exception]]
    fill: Callable[[Sequence[tuple[str, int]]], list]
    reply: Callable[[Sequence[tuple[str, dict | None]]], list[tuple[str, str, dict]]]


def load_engines(settings: Settings) -> Engines:
    """Carga los modelos y los usa una vez: el primer pedido de verdad no paga la puesta en marcha.

    Raises
    ------
    clase_8.servicio.classifier.ModelError
        Si el clasificador no se pudo cargar.
    utils.bert.BertError
        Si el BERT no se pudo cargar.
    """
    import torch

    from utils import bert

    torch.set_num_threads(settings.cores)
    classifier = Classifier(settings.model, settings.cores)
    tokenizer, model = bert.load()
    engines = Engines(
        classify=classifier.predict,
        summarize=_summarizer(tokenizer, model),
        # Con su propia copia: cada motor corre en su hilo, y un tokenizador no se puede usar desde dos.
        fill=MaskFiller(copy.deepcopy(tokenizer), model).fill,
        reply=_replier(Bot()),
    )
    _warm_up(engines, settings.batch)
    return engines


def _summarizer(tokenizer, model):
    from utils.summarization import SummaryError, bert_vectors, summarize

    embed = bert_vectors(tokenizer, model)

    def run(requests):
        found = []
        for text, sentences in requests:
            try:
                found.append(summarize(text, sentences, embed=embed))
            except SummaryError as error:
                found.append(error)
        return found

    return run


def _replier(bot: Bot):
    def run(requests):
        found = []
        for text, state in requests:
            conversation = Conversation.from_dict(state) if state else Conversation()
            understood, message = bot.reply(text, conversation)
            found.append((understood, message, conversation.to_dict()))
        return found

    return run


def _warm_up(engines: Engines, batch: int) -> None:
    """Un pedido de cada clase; al clasificador, también la tanda más grande, que reserva la memoria."""
    sentence = "El envío llegó tarde, pero la tela es linda y el talle quedó justo."
    engines.classify([sentence])
    engines.classify([sentence * 8] * batch)
    engines.summarize([(f"{sentence} " + "Lo volvería a comprar sin dudarlo ni un momento. " * 3, 1)])
    engines.fill([(f"El talle quedó {MASK}.", 1)])
    engines.reply([("hola", None)])
