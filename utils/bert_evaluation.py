"""Mide un BERT en español: palabras tapadas, sentidos de palabras polisémicas y ajuste a otras tareas.

    python -m utils.bert_evaluation CARPETA_CORPUS       # mide beto_mini y publica sus figuras

Con ``NLP_BERT`` mide otro modelo y solo imprime. Las palabras tapadas salen de los documentos de
validación del corpus, con los que no se entrenó; las cifras de dos modelos con vocabularios distintos
no se comparan, porque parten las palabras de otra manera.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils import bert, cards, corpus, datasets, finetuning, masking, results, vectors

MASKED = 0.15  # la proporción de palabras tapadas con que se mide desde BERT
WINDOW = 128
LENGTHS = (32, 256)  # otras ventanas: el modelo tiene que servir para una oración y para un texto
BATCH = 32
GENERAL = ("mlm", "pseudo", "polisemia")


# --- palabras tapadas -----------------------------------------------------------------------------


def validation_texts(folder: Path | str) -> dict[str, list[list[str]]]:
    """Las oraciones de cada documento de validación del corpus, por fuente."""
    found = {}
    for document in corpus.documents(folder):
        if document.validation:
            found.setdefault(document.source, []).append(document.sentences)
    return found


def masked_accuracy(
    texts: Sequence[Sequence[str]], tokenizer, model, length: int = WINDOW, seed: int = 0
) -> dict[str, float]:
    """Con qué frecuencia repone las palabras tapadas.

    Se tapa el 15 % de las palabras, enteras y siempre con ``[MASK]``: dejar algunas a la vista, como
    se hace al entrenar, regalaría aciertos.

    Parameters
    ----------
    texts : sequence of sequences of str
        Oraciones de cada documento; se leen seguidas, en ventanas.
    tokenizer, model
        Lo que devuelve :func:`utils.bert.load`.
    length : int
        Subpalabras de cada ventana, con ``[CLS]`` y ``[SEP]``.
    seed : int
        De las palabras que se tapan.

    Returns
    -------
    dict
        ``mlm_top1`` y ``mlm_top5``: qué proporción de las subpalabras tapadas es la primera propuesta
        del modelo o está entre las cinco primeras; ``mlm_frecuente``: lo que acertaría quien
        contestara siempre la más frecuente; ``mlm_perplejidad``: exp de la entropía cruzada media.

    Raises
    ------
    ValueError
        Si los textos no llenan una ventana.
    """
    import torch

    ids, chosen = _masked_windows(texts, tokenizer, length, seed)
    first, among_five, loss = 0, 0, 0.0
    for start in range(0, len(ids), BATCH):
        batch = torch.from_numpy(ids[start : start + BATCH])
        where = torch.from_numpy(chosen[start : start + BATCH])
        seen = batch.masked_fill(where, tokenizer.mask_token_id).to(model.device)
        with torch.inference_mode():
            logits = model(input_ids=seen).logits.float().cpu()[where]
        truth = batch[where]
        hits = logits.topk(5).indices == truth[:, None]
        first += hits[:, 0].sum().item()
        among_five += hits.any(dim=1).sum().item()
        loss += torch.nn.functional.cross_entropy(logits, truth, reduction="sum").item()
    truth = ids[chosen]
    return {
        "mlm_top1": first / len(truth),
        "mlm_top5": among_five / len(truth),
        "mlm_frecuente": float(np.bincount(truth).max() / len(truth)),
        "mlm_perplejidad": float(np.exp(loss / len(truth))),
    }


def _masked_windows(texts, tokenizer, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Las ventanas de los textos y qué subpalabras de ellas se tapan: dos arreglos (ventanas, length)."""
    known = masking.pieces(tokenizer)
    stream = []
    for sentences in texts:
        for ids in tokenizer(list(sentences), add_special_tokens=False)["input_ids"]:
            stream.extend(ids)
        stream.append(known.sep)
    if len(stream) < length - 2:
        raise ValueError(f"Hacen falta al menos {length - 2} subpalabras para medir, y hay {len(stream)}.")
    ids = masking.with_ends(masking.windows(np.array(stream), length), known)
    return ids, masking.whole_words(ids, known, MASKED, np.random.default_rng(seed))


def pseudo_perplexity(sentences: Sequence[str], tokenizer, model) -> dict[str, float]:
    """Cuánto sorprende cada subpalabra cuando se tapa solo ella.

    Parameters
    ----------
    sentences : sequence of str
        Las que pasen de 128 subpalabras se recortan.
    tokenizer, model
        Lo que devuelve :func:`utils.bert.load`.

    Returns
    -------
    dict
        ``pseudo_perplejidad``, exp de la pérdida media por subpalabra, y
        ``pseudo_perplejidad_palabra``, lo mismo por palabra, que no depende de cómo se las parta.

    References
    ----------
    Salazar, J. et al. (2020). Masked language model scoring. ACL.
    """
    import torch

    loss, pieces, words = 0.0, 0, 0
    for sentence in sentences:
        ids = torch.tensor(tokenizer(sentence, truncation=True, max_length=WINDOW)["input_ids"])
        positions = torch.arange(1, len(ids) - 1)
        seen = ids.repeat(len(positions), 1)
        seen[torch.arange(len(positions)), positions] = tokenizer.mask_token_id
        with torch.inference_mode():
            logits = model(input_ids=seen.to(model.device)).logits.float().cpu()
        logits = logits[torch.arange(len(positions)), positions]
        loss += torch.nn.functional.cross_entropy(logits, ids[positions], reduction="sum").item()
        pieces += len(positions)
        words += corpus.count_words(tokenizer.decode(ids[positions]))
    return {
        "pseudo_perplejidad": float(np.exp(loss / pieces)),
        "pseudo_perplejidad_palabra": float(np.exp(loss / words)),
    }


# --- sentidos -------------------------------------------------------------------------------------


def nearest_sense(found: np.ndarray, frame) -> float:
    """Exactitud de decir, de cada oración, el sentido de la más parecida entre las otras de su palabra.

    Parameters
    ----------
    found : ndarray, shape (n, d)
        Un vector por oración; se comparan por coseno. Si varias empatan, cuenta la proporción de
        ellas que acierta.
    frame : pandas.DataFrame, shape (n, …)
        Lo que devuelve :func:`utils.datasets.load_polysemy`.

    Returns
    -------
    float
    """
    unit = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    hits = []
    for rows in frame.reset_index(drop=True).groupby("palabra").groups.values():
        senses = frame.sentido.to_numpy()[rows]
        similarity = unit[rows] @ unit[rows].T
        np.fill_diagonal(similarity, -np.inf)
        tied = similarity >= similarity.max(axis=1, keepdims=True) - 1e-6
        hits.extend((tied * (senses == senses[:, None])).sum(axis=1) / tied.sum(axis=1))
    return float(np.mean(hits))


def word_vectors(frame, tokenizer, model, layer: int = -1) -> np.ndarray:
    """El vector en contexto de la palabra polisémica de cada oración.

    Parameters
    ----------
    frame : pandas.DataFrame, shape (n, …)
        Con ``palabra`` y ``oracion``.
    tokenizer, model, layer
        Como en :func:`utils.bert.embed_tokens`.

    Returns
    -------
    ndarray, shape (n, hidden)
        Promedio de las subpalabras de la palabra, en singular o en plural.

    Raises
    ------
    ValueError
        Si una oración no tiene su palabra.
    """
    states = bert.embed_tokens(frame.oracion.tolist(), tokenizer, model, layer)
    offsets = tokenizer(frame.oracion.tolist(), return_offsets_mapping=True)["offset_mapping"]
    found = []
    for word, sentence, state, spans in zip(frame.palabra, frame.oracion, states, offsets, strict=True):
        match = re.search(rf"\b{word}s?\b", sentence, re.IGNORECASE)
        if match is None:
            raise ValueError(f"«{word}» no está en «{sentence}».")
        inside = [start < match.end() and end > match.start() for start, end in spans]
        found.append(state[inside].mean(axis=0))
    return np.stack(found)


def context_vectors(frame) -> np.ndarray:
    """Promedio de los vectores estáticos de las demás palabras de cada oración: (n, 100)."""
    static = vectors.load()
    found = []
    for word, sentence in zip(frame.palabra, frame.oracion, strict=True):
        others = [token for token in vectors.tokenize(sentence) if token not in (word, f"{word}s")]
        found.append(np.mean([static[token] for token in others if token in static], axis=0))
    return np.stack(found)


def polysemy(tokenizer, model) -> dict[str, float]:
    """Sentidos acertados por vecino más cercano en ``polisemia``.

    Returns
    -------
    dict
        ``polisemia_1nn``, con la última capa; ``polisemia_capa_i``, con cada una, donde la 0 son los
        embeddings de entrada; ``polisemia_azar``, con vectores estáticos de la palabra, que en todas
        sus oraciones es el mismo; ``polisemia_estaticos``, con el promedio de los del resto de la
        oración, que es lo mejor que se les puede pedir.
    """
    frame = datasets.load_polysemy()
    layers = range(model.config.num_hidden_layers + 1)
    by_layer = [nearest_sense(word_vectors(frame, tokenizer, model, layer), frame) for layer in layers]
    return {
        "polisemia_1nn": by_layer[-1],
        "polisemia_azar": nearest_sense(np.ones((len(frame), 1)), frame),
        "polisemia_estaticos": nearest_sense(context_vectors(frame), frame),
        **{f"polisemia_capa_{layer}": value for layer, value in enumerate(by_layer)},
    }


# --- ajuste a otras tareas ------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """Una tarea de clasificación con su partición fija.

    Attributes
    ----------
    name : str
    frame : pandas.DataFrame
        Columnas ``texto``, ``clase`` (enteros desde 0) y ``particion``.
    epochs : int
        Cuántas se entrena; se usa la mejor en validación.
    """

    name: str
    frame: object
    epochs: int

    def part(self, name: str) -> tuple[list[str], np.ndarray]:
        """Textos y clases de una parte."""
        rows = self.frame[self.frame.particion == name]
        return rows.texto.tolist(), rows.clase.to_numpy()


def tasks() -> list[Task]:
    """Estrellas de las reseñas embebidas y opiniones reales de hoteles."""
    reviews, hotels = datasets.load_reviews(), datasets.load_hotels()
    return [
        Task("resenas", reviews.assign(clase=reviews.estrellas - 1), epochs=6),
        Task("hoteles", hotels.assign(clase=hotels.positiva), epochs=4),
    ]


def scores(truth, predicted) -> dict[str, float]:
    """Exactitud y F1 macro."""
    from sklearn.metrics import f1_score

    return {
        "exactitud": float(np.mean(truth == predicted)),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
    }


def bag_of_words(task: Task) -> dict[str, float]:
    """Lo que logra TF-IDF con regresión logística, con C elegido en validación."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, classes = task.part("train")
    best = None
    for c in (1, 3, 10, 30):
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        model = make_pipeline(vectorizer, LogisticRegression(C=c, max_iter=1000)).fit(texts, classes)
        valid, truth = task.part("validation")
        score = scores(truth, model.predict(valid))["macro_f1"]
        if best is None or score > best[0]:
            best = (score, model)
    test, truth = task.part("test")
    return scores(truth, best[1].predict(test))


def fine_tune(task: Task, tokenizer, make_model: Callable, rate: float, seed: int):
    """Ajusta un clasificador y lo mide con los pesos de su mejor época en validación.

    Lee la media de las subpalabras y empieza en una regresión logística: ver :mod:`utils.finetuning`.

    Parameters
    ----------
    task : Task
    tokenizer
    make_model : callable
        Devuelve el clasificador sin ajustar; se lo llama con la semilla ya puesta.
    rate : float
        Tasa de aprendizaje más alta; sube en el primer décimo de los pasos y baja en línea recta.
    seed : int
        De los pesos nuevos, del orden de los textos y del *dropout*.

    Returns
    -------
    float
        F1 macro en validación.
    dict of str to float
        :func:`scores` en prueba.
    """
    import torch

    torch.manual_seed(seed)
    model = make_model()
    texts, classes = task.part("train")
    parts = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
    finetuning.fit_head(model, (_encode(part, tokenizer, model.device) for part in parts), classes)
    order = np.random.default_rng(seed)
    steps = task.epochs * -(-len(texts) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    ramp = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps))
    )
    best = (-1.0, {})
    for _ in range(task.epochs):
        model.train()
        for rows in np.array_split(order.permutation(len(texts)), -(-len(texts) // BATCH)):
            inputs = _encode([texts[i] for i in rows], tokenizer, model.device)
            with torch.autocast(model.device.type, torch.bfloat16):
                logits = finetuning.classify(model, inputs)
            truth = torch.from_numpy(classes[rows]).to(model.device)
            torch.nn.functional.cross_entropy(logits.float(), truth).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            ramp.step()
        valid, truth = task.part("validation")
        score = scores(truth, predict(valid, tokenizer, model))["macro_f1"]
        if score > best[0]:
            test, truth = task.part("test")
            best = (score, scores(truth, predict(test, tokenizer, model)))
    return best


def predict(texts: Sequence[str], tokenizer, model) -> np.ndarray:
    """La clase de cada texto según un clasificador ya ajustado: (n,)."""
    import torch

    model.eval()
    order = np.argsort([len(text) for text in texts])
    found = np.zeros(len(texts), dtype=int)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16):
            logits = finetuning.classify(model, _encode([texts[i] for i in rows], tokenizer, model.device))
        found[rows] = logits.argmax(dim=1).cpu().numpy()
    return found


def _encode(texts, tokenizer, device):
    """Los textos en números, recortados a 128 subpalabras y emparejados."""
    inputs = tokenizer(texts, truncation=True, max_length=WINDOW, padding=True, return_tensors="pt")
    return inputs.to(device)


def fine_tuning(
    task: Task, name: str, rates: Sequence[float] = (1e-4, 3e-4, 1e-3), seeds: int = 5
) -> dict[str, float]:
    """Compara el BERT preentrenado con la misma arquitectura desde pesos al azar y con TF-IDF.

    Parameters
    ----------
    task : Task
    name : str
        Modelo, como en :func:`utils.bert.load`.
    rates : sequence of float
        Tasas de aprendizaje: la de cada punto de partida se elige en validación con la primera semilla.
    seeds : int
        Cuántas semillas, desde 0.

    Returns
    -------
    dict
        Para ``exactitud`` y ``macro_f1`` en prueba: la media de las semillas y su desvío, con los dos
        puntos de partida (``bert`` y ``azar``), y lo de ``tfidf``.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    tokenizer, _ = bert.load(name)
    labels = int(task.frame.clase.max()) + 1
    config = AutoConfig.from_pretrained(name, num_labels=labels)
    starts = {
        "bert": lambda: bert.load(name, AutoModelForSequenceClassification, num_labels=labels)[1],
        "azar": lambda: AutoModelForSequenceClassification.from_config(config),
    }
    found = {f"{task.name}_{metric}_tfidf": value for metric, value in bag_of_words(task).items()}
    for start, make_model in starts.items():
        tried = {rate: fine_tune(task, tokenizer, make_model, rate, 0) for rate in rates}
        rate = max(rates, key=lambda each: tried[each][0])
        runs = [
            tried[rate],
            *(fine_tune(task, tokenizer, make_model, rate, seed) for seed in range(1, seeds)),
        ]
        found[f"{task.name}_tasa_{start}"] = rate
        for metric in ("exactitud", "macro_f1"):
            values = [test[metric] for _, test in runs]
            found[f"{task.name}_{metric}_{start}"] = float(np.mean(values))
            found[f"{task.name}_{metric}_{start}_desvio"] = float(np.std(values, ddof=1))
        print(task.name, start, rate, [round(test["macro_f1"], 3) for _, test in runs], flush=True)
    return found


# --- todo junto -----------------------------------------------------------------------------------


def general(folder: Path | str, name: str) -> dict[str, float]:
    """Lo que se mide sin ajustar nada: palabras tapadas, pseudo-perplejidad y sentidos.

    Parameters
    ----------
    folder : Path or str
        Carpeta del corpus.
    name : str
        Modelo, como en :func:`utils.bert.load`.
    """
    tokenizer, model = bert.load(name)
    by_source = validation_texts(folder)
    texts = list(itertools.chain.from_iterable(by_source.values()))
    sentences = list(itertools.chain.from_iterable(texts))
    sample = np.random.default_rng(0).choice(len(sentences), size=min(500, len(sentences)), replace=False)
    found = masked_accuracy(texts, tokenizer, model)
    for length in LENGTHS:
        found[f"mlm_top1_ventana_{length}"] = masked_accuracy(texts, tokenizer, model, length)["mlm_top1"]
    for source, some in by_source.items():
        key = f"mlm_top1_{source.removeprefix('corpus_es_')}"
        found[key] = masked_accuracy(some, tokenizer, model)["mlm_top1"]
    found |= pseudo_perplexity([sentences[i] for i in sorted(sample)], tokenizer, model)
    return found | polysemy(tokenizer, model) | {"parametros": model.num_parameters()}


def measure(folder: Path | str, name: str) -> dict[str, float]:
    """Todas las medidas de un modelo, con los nombres que llevan en ``resultados.json``; ver :func:`general`."""
    found = general(folder, name)
    for task in tasks():
        found |= fine_tuning(task, name)
    return found


def publish(folder: Path | str) -> None:
    """Mide ``beto_mini`` y escribe sus figuras en ``utils/modelos/resultados.json`` y en su ficha."""
    metrics = measure(folder, str(bert.SHIPPED))
    history = json.loads((bert.SHIPPED / "entrenamiento.json").read_text(encoding="utf-8"))
    results.save_model("beto_mini", metrics, "mlm_top1", history["perdida"][-1]["segundos"])
    update_card(metrics, history)


def update_card(metrics: dict[str, float], history: dict) -> None:
    """Renueva las tablas de la ficha de ``beto_mini``."""
    path = bert.SHIPPED / "README.md"
    starts = {"bert": "`beto_mini`", "azar": "pesos al azar", "tfidf": "TF-IDF y regresión logística"}
    names = [f"{task}_{metric}" for task in ("resenas", "hoteles") for metric in ("exactitud", "macro_f1")]
    tuned = [(f"`{name}`", *(_with_spread(metrics, name, start) for start in starts)) for name in names]
    plain = [(f"`{key}`", value) for key, value in metrics.items() if key.startswith(GENERAL)]
    settings = [(f"`{key}`", str(value)) for key, value in history["ajustes"].items()]
    tables = {
        "medidas": cards.table(["Medida", "Valor"], plain),
        "ajuste": cards.table(["Medida", *starts.values()], tuned),
        "ajustes": cards.table(["Ajuste", "Valor"], settings),
    }
    results.write_atomic(path, cards.fill(path.read_text(encoding="utf-8"), tables))


def _with_spread(metrics: dict[str, float], name: str, start: str) -> str:
    """La media y el desvío de una medida, o la medida sola si no depende del azar."""
    text, spread = f"{metrics[f'{name}_{start}']:.3f}", metrics.get(f"{name}_{start}_desvio")
    return (text if spread is None else f"{text} ± {spread:.3f}").replace(".", ",")


def main() -> None:
    """Línea de órdenes."""
    parser = argparse.ArgumentParser(prog="python -m utils.bert_evaluation", description="Mide un BERT.")
    parser.add_argument("corpus", help="carpeta con los .txt.xz del corpus")
    folder, name = parser.parse_args().corpus, bert.model_name()
    try:
        if Path(name) == bert.SHIPPED:
            publish(folder)
        else:
            print(measure(folder, name))
    except (corpus.CorpusError, bert.BertError, datasets.DatasetError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
