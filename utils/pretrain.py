"""Entrena desde cero los modelos que trae el repositorio: ``vectores_mini`` y ``beto_mini``.

    python -m utils.pretrain CARPETA_CORPUS                 # los dos
    python -m utils.pretrain CARPETA_CORPUS --solo beto     # uno

Los ajustes de los vectores están en :mod:`utils.vectors`; los de ``beto_mini``, en :class:`Settings`.
Se puede cortar en cualquier momento: al volver a lanzarlo sigue desde el último punto guardado, y los
pesos salen iguales que sin el corte.

``beto_mini`` es un BERT chico: aprende a reponer palabras tapadas (Devlin y otros, 2019). Se tapan
palabras enteras, con todas sus subpalabras, como en BETO (Cañete y otros, 2020). No se lo entrena para
reconocer oraciones seguidas, así que el modelo se publica sin *pooler*.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from utils import bert, bert_evaluation, corpus, datasets, masking, results, vectors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)
CHECKPOINT_EVERY = 100  # pasos: alrededor de un minuto en dos núcleos
POSITION_SCALE = 0.1  # cinco veces la de los demás pesos iniciales, para que se oiga la posición


@dataclasses.dataclass(frozen=True)
class Settings:
    """Con qué se entrena ``beto_mini``.

    Attributes
    ----------
    vocabulary : int
        Subpalabras de WordPiece, con las cinco especiales.
    alphabet : int
        Caracteres distintos que entran en el vocabulario; los demás se leen como ``[UNK]``.
    layers, hidden, heads, intermediate, positions : int
        Arquitectura, con los nombres de ``BertConfig`` abreviados.
    phases : tuple of (tuple of int, float)
        Largos de las secuencias, por turno, y hasta qué fracción de los pasos se usan: las cortas,
        primero. Las posiciones nuevas tardan unos 400 pasos en aprenderse con la tasa entera: tienen que
        llegar antes de que empiece a bajar. La última fase los mezcla, porque quien solo ve secuencias
        largas olvida cómo leer una corta.
    batch_tokens : int
        Subpalabras por paso; la cantidad de secuencias sale de dividir por su largo.
    masked : float
        Proporción de palabras por reponer. De sus subpalabras, el 80 % se tapa, el 10 % se cambia
        por otra al azar y el 10 % queda como estaba.
    steps : int
        Pasos de optimización.
    learning_rate, matrix_learning_rate : float
        De AdamW (embeddings, normalización, sesgos y salida) y de Muon (las matrices del codificador).
    warmup, decay : float
        Fracción de los pasos en que la tasa sube desde cero al empezar y baja hasta cero al terminar;
        en el medio queda fija.
    weight_decay, final_weight_decay : float
        Cuánto encogen las matrices del codificador, y cuánto en la última fase. Si no se encogen, crecen
        sin parar, y un modelo así se ajusta mal a otra tarea (la ficha de ``beto_mini`` dice cuánto).
    seed : int
        De los pesos iniciales, del orden de las secuencias y de las palabras tapadas.
    """

    vocabulary: int = 12_000
    alphabet: int = 150
    layers: int = 4
    hidden: int = 256
    heads: int = 4
    intermediate: int = 1024
    positions: int = 256
    phases: tuple[tuple[tuple[int, ...], float], ...] = (
        ((32,), 0.04),
        ((64,), 0.6),
        ((128,), 0.65),
        ((32, 64, 128, 256, 256), 1.0),
    )
    batch_tokens: int = 8192
    masked: float = 0.2
    steps: int = 20_000
    learning_rate: float = 2e-3
    matrix_learning_rate: float = 3e-3
    warmup: float = 0.01
    decay: float = 0.3
    weight_decay: float = 0.01
    final_weight_decay: float = 0.2
    seed: int = 42


# --- corpus en subpalabras ------------------------------------------------------------------------


def prepare(folder: Path | str, work: Path, settings: Settings) -> Path:
    """Aprende el vocabulario y deja el corpus en números.

    Returns
    -------
    Path
        Carpeta con ``tokenizer.json`` y con ``train.npy`` y ``validation.npy``: las subpalabras de
        todos los documentos, uint16, una tras otra y con ``[SEP]`` entre documentos. Si ya estaba, no
        se vuelve a hacer.

    Raises
    ------
    utils.corpus.CorpusError
        Si el corpus falta o está dañado.
    """
    import numpy as np

    key = hashlib.sha256(f"{settings.vocabulary} {settings.alphabet}".encode())
    for file in corpus.source_files(folder):
        key.update(f"{file.name} {datasets.sha256(file)}".encode())
    ready = work / f"corpus_{key.hexdigest()[:12]}"
    if ready.exists():
        return ready
    partial = work / "corpus_a_medias"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tokenizer = train_tokenizer(folder, settings)
    tokenizer.save(str(partial / "tokenizer.json"))
    streams = {True: [], False: []}
    for document in corpus.documents(folder):
        encoded = tokenizer.encode_batch_fast(document.sentences, add_special_tokens=False)
        ids = [i for sentence in encoded for i in sentence.ids] + [SEP]
        streams[document.validation].append(np.array(ids, dtype=np.uint16))
    np.save(partial / "train.npy", np.concatenate(streams[False]))
    np.save(partial / "validation.npy", np.concatenate(streams[True] or [np.array([], np.uint16)]))
    os.replace(partial, ready)
    return ready


def train_tokenizer(folder: Path | str, settings: Settings):
    """Un WordPiece sin mayúsculas y con tildes, aprendido de los documentos de entrenamiento.

    Returns
    -------
    tokenizers.Tokenizer
        Agrega ``[CLS]`` y ``[SEP]`` al codificar.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", SEP), ("[CLS]", CLS))
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.vocabulary,
        limit_alphabet=settings.alphabet,
        special_tokens=SPECIAL,
        show_progress=False,
    )
    training = (document for document in corpus.documents(folder) if not document.validation)
    sentences = (sentence for document in training for sentence in document.sentences)
    tokenizer.train_from_iterator(sentences, trainer)
    return tokenizer


# --- tandas ---------------------------------------------------------------------------------------


class Batches:
    """Las tandas de entrenamiento: la de cada paso depende solo de la semilla y del paso.

    Así retomar un entrenamiento no necesita recordar nada del azar.

    Parameters
    ----------
    stream : ndarray, shape (n,)
        El corpus en subpalabras, de :func:`prepare`.
    known : utils.masking.Pieces
    settings : Settings
    """

    def __init__(self, stream, known: masking.Pieces, settings: Settings):
        self.stream, self.known, self.settings = stream, known, settings
        self._current = {}

    def phase(self, step: int) -> tuple[int, int]:
        """Largo de las secuencias en un paso, y cuántas tandas de ese largo lleva la fase."""
        first = 0
        for lengths, until in self.settings.phases:
            last = round(until * self.settings.steps)
            if step < last:
                before, turn = divmod(step - first, len(lengths))
                return lengths[turn], before
            first = last
        raise IndexError(f"El entrenamiento termina en el paso {first}: no hay paso {step}.")

    def __getitem__(self, step: int):
        """Lo que ve el modelo, lo que hay que reponer y dónde: tres ndarray (secuencias, largo)."""
        import numpy as np

        length, before = self.phase(step)
        size = self.settings.batch_tokens // length
        count = len(self.stream) // (length - 2) - 1  # una menos, por el corrimiento de cada época
        rows = []
        for position in range(before * size, (before + 1) * size):
            epoch, index = divmod(position, count)
            cut, order = self._epoch(length, epoch)
            rows.append(cut[order[index]])
        ids = masking.with_ends(np.stack(rows), self.known)
        rng = np.random.default_rng((self.settings.seed, step))
        chosen = masking.whole_words(ids, self.known, self.settings.masked, rng)
        return masking.corrupt(ids, chosen, self.known, rng), ids, chosen

    def _epoch(self, length: int, epoch: int):
        """Las secuencias de una época, cortadas en otros lugares que las de la anterior, y su orden."""
        import numpy as np

        if self._current.get(length, (None,))[0] != epoch:
            rng = np.random.default_rng((self.settings.seed, length, epoch))
            cut = masking.windows(self.stream, length, int(rng.integers(length - 2)))
            self._current[length] = (epoch, cut, rng.permutation(len(cut)))
        return self._current[length][1:]


# --- entrenamiento --------------------------------------------------------------------------------


def new_model(settings: Settings, vocabulary: int | None = None):
    """El BERT sin entrenar, con pesos al azar según la semilla.

    Returns
    -------
    transformers.BertForMaskedLM
        Sin *dropout*: con pocas épocas no hay qué regularizar. La configuración también dice 0, que es
        lo que rige si después se lo ajusta: a un modelo que nunca lo vio, el 0,1 habitual le hace daño.
    """
    import torch
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=vocabulary or settings.vocabulary,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.intermediate,
        max_position_embeddings=settings.positions,
        pad_token_id=PAD,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        # En CPU y con secuencias cortas, la atención escrita con matmul gana a la fusionada.
        attn_implementation="eager",
    )
    torch.manual_seed(settings.seed)
    model = BertForMaskedLM(config)
    with torch.no_grad():
        model.bert.embeddings.position_embeddings.weight.copy_(_sinusoids(settings))
    return model


def _sinusoids(settings: Settings):
    """Posiciones iniciales: ondas de distinta frecuencia, que después se aprenden como todo lo demás.

    Con posiciones al azar el modelo tarda millones de palabras en descubrir quién está al lado de
    quién, y mientras tanto solo aprende frecuencias. Con estas, y con secuencias cortas al principio,
    llega en 1,6 millones de subpalabras a una pérdida (5,60) que de otro modo no alcanza en 9
    millones (6,01).

    References
    ----------
    Vaswani, A. et al. (2017). Attention is all you need. NeurIPS, sección 3.5.
    """
    import torch

    position = torch.arange(settings.positions)[:, None]
    rate = 10000 ** (-torch.arange(0, settings.hidden, 2) / settings.hidden)
    waves = torch.cat([torch.sin(position * rate), torch.cos(position * rate)], dim=1)
    return POSITION_SCALE * waves


def masked_logits(model, seen, chosen):
    """Puntajes de reposición, calculados solo donde hacen falta.

    Parameters
    ----------
    model : transformers.BertForMaskedLM
    seen : Tensor, shape (b, t)
    chosen : Tensor, shape (b, t), bool

    Returns
    -------
    Tensor, shape (elegidas, vocabulario), float32
        La salida completa sería cinco veces más cara: la mayor parte del costo de un BERT chico.
    """
    hidden = model.bert(input_ids=seen).last_hidden_state
    return model.cls(hidden[chosen]).float()


def working_copy(model):
    """Copia del modelo en bfloat16, con la que se calculan los gradientes.

    Los pesos que se actualizan quedan en float32, porque en bfloat16 un paso chico se pierde en el
    redondeo (Micikevicius y otros, 2018); la copia ahorra un tercio del tiempo.
    """
    import torch

    return copy.deepcopy(model).to(torch.bfloat16)


def optimizers(model, settings: Settings) -> list:
    """Muon para las matrices del codificador y AdamW para todo lo demás.

    Muon vuelve ortogonal cada actualización, y con el mismo cómputo aprende más.

    References
    ----------
    Jordan, K. et al. (2024). Muon: an optimizer for hidden layers in neural networks.
    Liu, J. et al. (2025). Muon is scalable for LLM training (de ahí la escala ``match_rms_adamw``).
    """
    import torch

    matrices = [p for p in model.bert.encoder.parameters() if p.ndim == 2]
    known = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in known]
    muon = torch.optim.Muon(
        matrices,
        lr=settings.matrix_learning_rate,
        weight_decay=settings.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(others, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return [muon, adam]


def rate_factor(step: int, settings: Settings) -> float:
    """Por cuánto se multiplica la tasa de aprendizaje en un paso: sube, queda y baja."""
    rise, fall = settings.warmup * settings.steps, settings.decay * settings.steps
    return min(1.0, (step + 1) / max(rise, 1), (settings.steps - step) / max(fall, 1))


def train(prepared: Path, work: Path, settings: Settings, device: str | None = None):
    """Entrena ``beto_mini``; si quedó a medio entrenar, sigue.

    Parameters
    ----------
    prepared : Path
        Lo que devuelve :func:`prepare`.
    work : Path
        Carpeta del punto guardado.
    settings : Settings
    device : str, optional
        ``"cuda"`` o ``"cpu"``; por omisión, la GPU si hay.

    Returns
    -------
    model : transformers.BertForMaskedLM
    history : list of dict
        Una fila cada ``CHECKPOINT_EVERY`` pasos: ``paso``, ``perdida`` (media de esos pasos, en nats
        por subpalabra tapada) y ``segundos`` de reloj acumulados.
    """
    import numpy as np
    import torch
    from tokenizers import Tokenizer
    from tqdm import tqdm

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = Tokenizer.from_file(str(prepared / "tokenizer.json"))
    stream = np.load(prepared / "train.npy", mmap_mode="r")
    batches = Batches(stream, masking.pieces(tokenizer), settings)
    model = new_model(settings, tokenizer.get_vocab_size()).to(device).train()
    working = working_copy(model)
    steppers = optimizers(model, settings)
    key = hashlib.sha256(f"{settings} {prepared.name}".encode()).hexdigest()[:12]
    path = work / f"beto_{key}.pt"
    step, history = _resume(path, model, steppers, device)
    losses, seconds, start = [], history[-1]["segundos"] if history else 0.0, time.perf_counter()
    bar = tqdm(range(step, settings.steps), initial=step, total=settings.steps, unit="paso", desc="BERT")
    for step in bar:
        losses.append(_step(model, working, steppers, batches, step, settings, device))
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == settings.steps:
            loss = float(np.mean(losses))
            elapsed = seconds + time.perf_counter() - start
            history.append({"paso": step + 1, "perdida": loss, "segundos": elapsed})
            _checkpoint(path, model, steppers, step + 1, history)
            bar.set_postfix(pérdida=f"{loss:.3f}")
            losses = []
    return model.eval(), history


def _step(model, working, steppers, batches: Batches, step: int, settings: Settings, device: str) -> float:
    """Un paso de optimización; devuelve la pérdida."""
    import torch

    seen, ids, chosen = (torch.from_numpy(each).to(device) for each in batches[step])
    with torch.no_grad():
        for copied, parameter in zip(working.parameters(), model.parameters(), strict=True):
            copied.copy_(parameter)
    loss = torch.nn.functional.cross_entropy(masked_logits(working, seen, chosen), ids[chosen])
    loss.backward()
    for copied, parameter in zip(working.parameters(), model.parameters(), strict=True):
        parameter.grad = copied.grad.float()
    working.zero_grad()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    muon, _ = steppers
    if step >= round(settings.phases[-2][1] * settings.steps):
        muon.param_groups[0]["weight_decay"] = settings.final_weight_decay
    for stepper in steppers:
        for group in stepper.param_groups:
            group.setdefault("base_lr", group["lr"])
            group["lr"] = group["base_lr"] * rate_factor(step, settings)
        stepper.step()
    return loss.item()


def _resume(path: Path, model, steppers, device: str) -> tuple[int, list[dict]]:
    """Cuántos pasos lleva lo guardado y su historia, y lo carga; ``(0, [])`` si no hay nada."""
    import torch

    if not path.exists():
        return 0, []
    saved = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(saved["model"])
    for stepper, state in zip(steppers, saved["optimizers"], strict=True):
        stepper.load_state_dict(state)
    return saved["step"], saved["history"]


def _checkpoint(path: Path, model, steppers, step: int, history: list[dict]) -> None:
    """Guarda el punto entero o deja el anterior."""
    import torch

    states = [stepper.state_dict() for stepper in steppers]
    partial = path.with_suffix(".parcial")
    torch.save({"model": model.state_dict(), "optimizers": states, "step": step, "history": history}, partial)
    os.replace(partial, path)


# --- publicación ----------------------------------------------------------------------------------


def save(model, history: list[dict], prepared: Path, settings: Settings, folder: Path) -> None:
    """Guarda el modelo en el formato de Hugging Face, con los pesos en float16, y cómo se entrenó.

    La configuración dice float32, que es como se cargan: en float16 una CPU los usa más lento y no
    los puede seguir entrenando.
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = Tokenizer.from_file(str(prepared / "tokenizer.json")).get_vocab()
    tokenizer = BertTokenizer(
        vocab=vocabulary, do_lower_case=True, strip_accents=False, model_max_length=settings.positions
    )
    tokenizer.save_pretrained(folder)
    copy.deepcopy(model).to("cpu", torch.float16).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"dtype": "float32"}
    results.write_atomic(folder / "config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    training = {"ajustes": dataclasses.asdict(settings), "perdida": history}
    results.write_atomic(folder / "entrenamiento.json", json.dumps(training, indent=1) + "\n")
    _plot_loss(history, folder / "perdida.png")


def _plot_loss(history: list[dict], path: Path) -> None:
    """La curva de pérdida, para la ficha."""
    import matplotlib.pyplot as plt

    from utils import notebook

    notebook.use_style()
    _, ax = plt.subplots(figsize=(7, 3))
    ax.plot([row["paso"] for row in history], [row["perdida"] for row in history])
    ax.set(xlabel="Paso", ylabel="Pérdida (nats por subpalabra tapada)")
    plt.savefig(path, dpi=80, bbox_inches="tight")
    plt.close()


def main() -> None:
    """Línea de órdenes."""
    parser = argparse.ArgumentParser(
        prog="python -m utils.pretrain", description="Entrena los modelos propios."
    )
    parser.add_argument("corpus", help="carpeta con los .txt.xz del corpus")
    parser.add_argument("--solo", choices=["vectores", "beto"], help="uno solo de los dos")
    parser.add_argument("--trabajo", type=Path, help="carpeta de lo que está a medio entrenar")
    arguments = parser.parse_args()
    work = arguments.trabajo or datasets.cache_dir() / "preentrenamiento"
    try:
        corpus.source_files(arguments.corpus)
        if arguments.solo != "beto":
            vectors.publish(arguments.corpus, work)
        if arguments.solo != "vectores":
            settings = Settings()
            prepared = prepare(arguments.corpus, work, settings)
            model, history = train(prepared, work, settings)
            save(model, history, prepared, settings, bert.SHIPPED)
            bert_evaluation.publish(arguments.corpus)
    except (corpus.CorpusError, datasets.DatasetError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(f"Cortado: lo entrenado quedó en {work}; la misma orden sigue desde ahí.") from None


if __name__ == "__main__":
    main()
