"""Traducir del inglés al castellano: pares, vocabularios, tandas y medidas, comunes a las clases 6 y 7.

Los modelos se escriben en los notebooks; acá está lo que todos comparten, para que se comparen con
las mismas oraciones, los mismos símbolos y la misma vara.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from utils import datasets

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<sos>", "<eos>", "<unk>")
_WORD_START = "▁"
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d]+(?:['’-]\w+)*|\w+|[^\w\s]")
_WORD = re.compile(r"[^\W\d]+(?:['’-]\w+)*")


# --- pares ----------------------------------------------------------------------------------------


def load_pairs():
    """Los pares del modo de datos en curso: ``traducciones`` o, con datos reales, Tatoeba.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``familia``, ``ingles``, ``espanol`` y ``particion``. Ninguna familia está en dos particiones.
    """
    if datasets.data_mode() == "embebidos":
        return datasets.load_translations()
    frame = datasets.load_tatoeba()
    frame.insert(0, "id", [f"tat-{number:06d}" for number in range(1, len(frame) + 1)])
    return frame


def group_references(pairs):
    """Una fila por oración inglesa, con todas sus traducciones.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Como los de :func:`load_pairs`.

    Returns
    -------
    pandas.DataFrame
        ``id`` (del primer par), ``ingles`` y ``referencias`` (lista de traducciones distintas, en el
        orden del archivo), sin oraciones inglesas repetidas.
    """
    groups = pairs.groupby("ingles", sort=False)
    return groups.agg(
        id=("id", "first"), referencias=("espanol", lambda s: list(dict.fromkeys(s)))
    ).reset_index()[["id", "ingles", "referencias"]]


# --- de texto a símbolos --------------------------------------------------------------------------


def split_words(text: str) -> list[str]:
    """Palabras, números y signos de puntuación, cada uno por su lado.

    Examples
    --------
    >>> split_words("¿No vas a las 7:30?")
    ['¿', 'No', 'vas', 'a', 'las', '7:30', '?']
    """
    return _TOKEN.findall(text)


def join_words(words: Iterable[str]) -> str:
    """Deshace :func:`split_words` con la puntuación del castellano.

    Las comillas rectas se abren y se cierran por turno.
    """
    text = re.sub(r'"\s*([^"]*?)\s*"', r'"\1"', " ".join(words))
    text = re.sub(r"([¿¡«(\[]) +", r"\1", text)
    return re.sub(r" +([.,;:?!»)\]%])", r"\1", text)


def capitalize(text: str) -> str:
    """Pone en mayúscula la primera letra, aunque antes haya un signo: «¿no?» → «¿No?»."""
    start = next((i for i, letter in enumerate(text) if letter.isalpha()), len(text))
    return text[:start] + text[start : start + 1].upper() + text[start + 1 :]


class Vocabulary:
    """Pasa oraciones a números y de vuelta, por palabras o por subpalabras.

    La mayúscula que abre la oración se quita, salvo que en las demás posiciones del entrenamiento esa
    palabra vaya más veces con mayúscula, y se repone al decodificar; así «La» y «la» son la misma palabra, y «Tom» sigue
    siendo un nombre.

    Parameters
    ----------
    texts : sequence of str
        Oraciones de entrenamiento.
    size : int
        Símbolos del vocabulario, a lo sumo, contando los cuatro especiales.
    kind : {"bpe", "palabras"}
        Subpalabras por pares de bytes, que pueden escribir cualquier palabra de letras conocidas, o las
        palabras más frecuentes, con ``<unk>`` para las demás.

    Attributes
    ----------
    symbols : ndarray of str
        El texto de cada símbolo; los cuatro primeros son ``SPECIAL``.

    Raises
    ------
    ValueError
        Si ``kind`` es otra cosa.

    References
    ----------
    Sennrich, R., Haddow, B. y Birch, A. (2016). Neural machine translation of rare words with subword units. ACL.
    """

    def __init__(self, texts: Sequence[str], size: int, kind: str = "bpe"):
        import tokenizers
        from tokenizers import models, pre_tokenizers, trainers

        if kind not in ("bpe", "palabras"):
            raise ValueError(f"No conozco vocabularios de clase «{kind}»: los hay «bpe» y «palabras».")
        self.kind = kind
        self._names = self._learn_names(texts)
        options = {"vocab_size": size, "special_tokens": list(SPECIAL), "show_progress": False}
        if kind == "bpe":
            model = models.BPE(unk_token=SPECIAL[UNKNOWN])
            trainer = trainers.BpeTrainer(**options)
        else:
            model = models.WordLevel(unk_token=SPECIAL[UNKNOWN])
            trainer = trainers.WordLevelTrainer(**options)
        self._tokenizer = tokenizers.Tokenizer(model)
        self._tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        self._tokenizer.train_from_iterator(map(self._prepare, texts), trainer)
        self.symbols = np.array(
            [self._tokenizer.id_to_token(i) for i in range(self._tokenizer.get_vocab_size())], dtype=object
        )

    def __len__(self) -> int:
        return len(self.symbols)

    @staticmethod
    def _learn_names(texts) -> set[str]:
        """Palabras que se ven más veces con mayúscula, sin contar la primera de cada oración."""
        seen = Counter(word for text in texts for word in _WORD.findall(text)[1:])
        return {word for word, times in seen.items() if word[0].isupper() and times > seen[word.lower()]}

    def _prepare(self, text: str) -> str:
        """Las palabras separadas por espacios, con la primera en minúscula si corresponde."""
        words = split_words(text.replace("’", "'"))
        for i, word in enumerate(words):
            if _WORD.match(word):
                if word[1:] == word[1:].lower() and word not in self._names:
                    words[i] = word.lower()
                break
        return " ".join(_WORD_START + word for word in words) if self.kind == "bpe" else " ".join(words)

    def pieces(self, text: str) -> list[str]:
        """Los símbolos de una oración, como texto; en ``bpe``, ``▁`` marca el comienzo de palabra."""
        return self._tokenizer.encode(self._prepare(text)).tokens

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Los números de cada oración, con ``END`` al final y sin ``START``."""
        encoded = self._tokenizer.encode_batch([self._prepare(text) for text in texts])
        return [[*each.ids, END] for each in encoded]

    def decode(self, rows) -> list[str]:
        """El texto de cada fila de números, hasta su primer ``END``."""
        return [self._decode_one(row) for row in rows]

    def _decode_one(self, row) -> str:
        kept = []
        for number in row:
            if number == END:
                break
            if number not in (PAD, START):
                kept.append(self.symbols[number])
        if self.kind == "bpe":
            kept = "".join(kept).replace(_WORD_START, " ").split()
        return capitalize(join_words(kept))


# --- tandas ---------------------------------------------------------------------------------------


def pad(rows: Sequence[Sequence[int]], length: int | None = None) -> np.ndarray:
    """Una matriz con una fila por oración, completada con ``PAD`` a la derecha.

    Parameters
    ----------
    rows : sequence of sequences of int
    length : int, optional
        Ancho de la matriz; lo que sobra se corta. Por omisión, el de la fila más larga.

    Returns
    -------
    ndarray of int32, shape (n, length)
    """
    length = max(map(len, rows), default=0) if length is None else length
    matrix = np.full((len(rows), length), PAD, dtype="int32")
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row[:length]
    return matrix


def length_batches(lengths: Sequence, batch_size: int, seed: int) -> list[np.ndarray]:
    """Tandas de oraciones de largo parecido, en un orden al azar: casi no llevan relleno.

    Primero van la más larga (si no entra en la memoria, se sabe en seguida) y la más corta: Keras mira
    las dos primeras para saber qué dimensiones cambian de una tanda a otra.

    Parameters
    ----------
    lengths : array-like, shape (n,) o (n, k)
        Uno o más largos por oración; se ordena por el primero y se desempata por los demás.
    batch_size : int
    seed : int
        Del orden de las tandas y de los empates.

    Returns
    -------
    list of ndarray of int
        Posiciones de cada tanda; entre todas, cada oración está una vez.
    """
    rng = np.random.default_rng(seed)
    lengths = np.asarray(lengths).reshape(len(lengths), -1)
    order = np.lexsort([rng.random(len(lengths)), *lengths.T[::-1]])
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    ends = batches[::-1][:1] + batches[:-1][:1]
    return ends + [batches[i] for i in 1 + rng.permutation(max(0, len(batches) - 2))]


# --- medidas --------------------------------------------------------------------------------------


def _metric(name: str):
    from sacrebleu.metrics import BLEU, CHRF

    if name not in ("bleu", "chrf"):
        raise ValueError(f"No conozco la medida «{name}»: están «bleu» y «chrf».")
    return BLEU() if name == "bleu" else CHRF()


def _streams(references) -> list[list]:
    """De una lista de referencias por oración a lo que pide sacrebleu: una lista por referencia."""
    references = [[each] if isinstance(each, str) else list(each) for each in references]
    most = max(map(len, references))
    return [[each[i] if i < len(each) else None for each in references] for i in range(most)]


def _statistics(hypotheses, references, metric) -> np.ndarray:
    """Los conteos de cada oración, que sumados dan la medida del conjunto."""
    if len(hypotheses) == 0 or len(hypotheses) != len(references):
        raise ValueError(
            "Hacen falta tantas traducciones como referencias, y al menos una: "
            f"hay {len(hypotheses)} y {len(references)}."
        )
    found = metric._extract_corpus_statistics(list(hypotheses), _streams(references))
    return np.array(found, dtype=float)


def _resample(statistics: np.ndarray, metric, draws: np.ndarray) -> np.ndarray:
    weights = np.stack([np.bincount(draw, minlength=len(statistics)) for draw in draws])
    return np.array([metric._compute_score_from_stats(list(row)).score for row in weights @ statistics])


def score(
    hypotheses: Sequence[str],
    references: Sequence,
    metric: str = "bleu",
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """BLEU o chrF de un conjunto de traducciones, con su intervalo del 95 % por remuestreo de oraciones.

    Parameters
    ----------
    hypotheses : sequence of str, length n
        Traducciones, como texto corriente.
    references : sequence of str or of lists of str, length n
        Una o más referencias por oración.
    metric : {"bleu", "chrf"}
    n_resamples : int
        Cantidad de remuestras; con 0 no hay intervalo y los extremos son la medida misma.
    seed : int

    Returns
    -------
    (value, low, high) : tuple of float
        De 0 a 100.

    Raises
    ------
    ValueError
        Si no hay oraciones, no hay una referencia por oración o no existe la medida.

    References
    ----------
    Post, M. (2018). A call for clarity in reporting BLEU scores. WMT.
    Koehn, P. (2004). Statistical significance tests for machine translation evaluation. EMNLP.
    """
    computer = _metric(metric)
    statistics = _statistics(hypotheses, references, computer)
    value = computer._compute_score_from_stats(list(statistics.sum(axis=0))).score
    if n_resamples == 0:
        return value, value, value
    draws = np.random.default_rng(seed).integers(0, len(statistics), size=(n_resamples, len(statistics)))
    low, high = np.percentile(_resample(statistics, computer, draws), [2.5, 97.5])
    return value, float(low), float(high)


def difference(
    first: Sequence[str],
    second: Sequence[str],
    references: Sequence,
    metric: str = "bleu",
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Cuánto más mide ``first`` que ``second``, con intervalo por remuestreo de a pares.

    Las dos se miden en las mismas remuestras: lo difícil de cada oración se cancela, y el intervalo es
    más angosto que la resta de los dos sueltos.

    Parameters
    ----------
    first, second : sequence of str, length n
    references, metric, n_resamples, seed
        Como en :func:`score`.

    Returns
    -------
    (value, low, high) : tuple of float
    """
    computer = _metric(metric)
    both = [_statistics(each, references, computer) for each in (first, second)]
    totals = [computer._compute_score_from_stats(list(each.sum(axis=0))).score for each in both]
    draws = np.random.default_rng(seed).integers(0, len(both[0]), size=(n_resamples, len(both[0])))
    gaps = np.subtract(*(_resample(each, computer, draws) for each in both))
    low, high = np.percentile(gaps, [2.5, 97.5])
    return totals[0] - totals[1], float(low), float(high)


def sentence_scores(hypotheses: Sequence[str], references: Sequence) -> np.ndarray:
    """chrF de cada oración, shape (n,). (BLEU no está hecho para una sola oración.)"""
    computer = _metric("chrf")
    rows = _statistics(hypotheses, references, computer)
    return np.array([computer._compute_score_from_stats(list(row)).score for row in rows])


def signature(metric: str = "bleu", references: Sequence = ("",)) -> str:
    """La firma de sacrebleu: con qué opciones y con qué versión se midió.

    Parameters
    ----------
    metric : {"bleu", "chrf"}
    references : sequence
        Las que se usan, de donde sale cuántas hay por oración.
    """
    computer = _metric(metric)
    computer._extract_corpus_statistics([""] * len(references), _streams(references))
    return str(computer.get_signature())


def length_groups(lengths: Sequence[int], edges: Sequence[int]) -> dict[str, np.ndarray]:
    """Reparte oraciones en tramos de largo.

    Parameters
    ----------
    lengths : array-like of int, shape (n,)
        Largo de cada oración.
    edges : sequence of int
        Primer largo de cada tramo, en orden; el último llega hasta el final.

    Returns
    -------
    dict of str to ndarray of int
        De «5–6» a las posiciones de las oraciones de ese tramo; los tramos vacíos no están. Lo más corto
        que el primer borde queda en el primer tramo.

    Raises
    ------
    ValueError
        Si los bordes no crecen.

    Examples
    --------
    >>> length_groups([3, 9, 5], [3, 5])
    {'3–4': array([0]), '5 o más': array([1, 2])}
    """
    edges, lengths = list(edges), np.asarray(lengths)
    if edges != sorted(set(edges)):
        raise ValueError(f"Los bordes tienen que crecer y son {edges}.")
    which = np.maximum(np.searchsorted(edges, lengths, side="right") - 1, 0)
    names = [str(a) if b == a + 1 else f"{a}–{b - 1}" for a, b in itertools.pairwise(edges)]
    names.append(f"{edges[-1]} o más")
    return {name: np.flatnonzero(which == i) for i, name in enumerate(names) if (which == i).any()}
