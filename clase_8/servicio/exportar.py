"""De PyTorch a lo que se sirve: exporta el clasificador a ONNX y lo cuantiza a enteros de 8 bits.

    python -m clase_8.servicio.exportar                    # ajusta beto_mini y escribe clase_8/servicio/modelo
    python -m clase_8.servicio.exportar --desde CARPETA    # con un clasificador ya ajustado

Lo que decide (la tasa, la época) lo decide con la validación; la prueba la mira el notebook ``8a_deploy``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

from clase_8.servicio.classifier import CARD_FILE, MODEL_FILE, TOKENIZER_FILE
from clase_8.servicio.settings import HERE

OPSET = 18
MAX_BYTES = 8 * 1024 * 1024


def export_onnx(model, path: Path) -> None:
    """Escribe un clasificador de transformers en ONNX, de subpalabras a probabilidades.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Como lo pide :func:`utils.finetuning.classify`.
    path : Path
        El archivo. Sus entradas son ``input_ids`` y ``attention_mask``, shape (tanda, largo), int64; su
        salida, ``probabilities``, shape (tanda, clases).
    """
    import torch

    from utils import finetuning

    class Probabilities(torch.nn.Module):
        """El modelo con su softmax: quien sirve no tiene que saber que falta."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            return torch.softmax(finetuning.classify(self.model, inputs), dim=-1)

    attention = model.config._attn_implementation
    model.eval().set_attn_implementation("eager")  # productos y softmax a la vista, y no una sola operación
    ids = torch.arange(24).reshape(3, 8) % model.config.vocab_size
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3, [1] * 2 + [0] * 6])
    size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with _quiet():
        torch.onnx.export(
            Probabilities(),
            (ids, mask),
            path,
            input_names=["input_ids", "attention_mask"],
            output_names=["probabilities"],
            dynamic_shapes={"input_ids": size, "attention_mask": size},
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    model.set_attn_implementation(attention)


def quantize(source: Path, target: Path, **options) -> None:
    """Cuantiza un modelo ONNX: pesos y embeddings en 8 bits; las activaciones, al vuelo.

    ``options`` cambia las de ``quantize_dynamic``, para compararlas.

    Los pesos usan siete de los ocho bits y una escala por columna. Sin ``reduce_range``, los procesadores
    sin instrucciones VNNI suman de a dos productos en 16 bits y pueden desbordar: el mismo modelo daría
    otras respuestas en otra máquina.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "preparado.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        chosen = {
            "op_types_to_quantize": ["MatMul", "Gather"],
            "per_channel": True,
            "reduce_range": True,
            "weight_type": QuantType.QInt8,
        }
        quantize_dynamic(prepared, target, **(chosen | options))


def write_folder(folder: Path, tokenizer, exported: Path, max_length: int, card: dict) -> None:
    """Escribe la carpeta que lee :class:`clase_8.servicio.classifier.Classifier`.

    Parameters
    ----------
    folder : Path
        Se crea; lo que hubiera con esos nombres se reemplaza.
    tokenizer : transformers.PreTrainedTokenizerFast
        El del clasificador.
    exported : Path
        Lo que escribió :func:`export_onnx`.
    max_length : int
        Subpalabras que se leen de cada texto.
    card : dict
        Lo demás que conviene que ``modelo.json`` recuerde.

    Raises
    ------
    ValueError
        Si lo escrito pasa de ``MAX_BYTES``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    quantize(exported, folder / MODEL_FILE)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))
    text = json.dumps({"largo": max_length} | card, ensure_ascii=False, indent=2, sort_keys=True)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")
    size = sum((folder / name).stat().st_size for name in (MODEL_FILE, TOKENIZER_FILE, CARD_FILE))
    if size > MAX_BYTES:
        raise ValueError(f"La carpeta pesa {size / 2**20:.1f} MB y el tope es {MAX_BYTES / 2**20:.0f}.")


@contextlib.contextmanager
def _quiet():
    """Sin los avisos de las herramientas, que hablan de su propio funcionamiento."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def main(arguments: list[str] | None = None) -> int:
    """La orden. Devuelve el código de salida."""
    from clase_8.servicio import training
    from clase_8.servicio.classifier import Classifier
    from utils import bert, datasets

    parser = argparse.ArgumentParser(
        prog="python -m clase_8.servicio.exportar", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--desde", type=Path, help="carpeta de un clasificador de 5 clases ya ajustado")
    parser.add_argument("--a", type=Path, default=HERE / "modelo", help="carpeta donde escribir")
    options = parser.parse_args(arguments)
    reviews = datasets.load_reviews()
    train, validation = (reviews[reviews.particion == part] for part in ("train", "validation"))
    if options.desde:
        from transformers import AutoModelForSequenceClassification

        tokenizer, model = bert.load(options.desde, AutoModelForSequenceClassification)
        recipe = {"max_length": training.Recipe.max_length}
    else:
        print("Ajustando con tres tasas; se elige con la validación (unos minutos)…", flush=True)
        tokenizer, model, _, recipe = training.choose(train, validation)
    max_length = recipe["max_length"]
    before = training.predict(tokenizer, model, validation.texto, max_length)
    with tempfile.TemporaryDirectory() as work:
        export_onnx(model, Path(work) / "float32.onnx")
        write_folder(options.a, tokenizer, Path(work) / "float32.onnx", max_length, {"receta": recipe})
    after = Classifier(options.a).stars(list(validation.texto))
    right = [float((found == validation.estrellas).mean()) for found in (before, after)]
    print(f"Exactitud en la validación: {right[0]:.3f} en PyTorch, {right[1]:.3f} cuantizado.")
    print(f"Escrito en {options.a}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
