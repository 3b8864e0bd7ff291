"""El bot del servicio contra el del notebook de la clase 2, y su estado."""

import ast
import datetime
import json
import random

import pytest
from conftest import ROOT

from clase_8.servicio.bot import FORMS, INTENTS, MAX_PENDING, Bot, Conversation, check_date, check_quantity
from clase_8.servicio.state import MAX_STATE, Signer
from utils import datasets

TODAY = datetime.date(2026, 3, 4)  # el «hoy» del notebook
SCRIPTS = {"CLIENT", "MIXED", "READER"}  # sus conversaciones


@pytest.fixture(scope="module")
def ours():
    return Bot()


@pytest.fixture(scope="module")
def theirs():
    """Lo que definen las celdas del notebook, sin ejecutar las que miden, dibujan o entrenan."""
    notebook = json.loads((ROOT / "clase_2" / "2b_bot_de_reglas.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    last = next(i for i, cell in enumerate(cells) if "class Bot:" in cell)
    statements = [
        [statement for cell in part for statement in ast.parse(cell).body] for part in split(cells, last)
    ]
    scripts = {
        name: ast.literal_eval(one.value) for one in statements[1] for name in names_made(one) & SCRIPTS
    }
    return defined({"Bot", "rule_intent"}, statements[0]) | scripts


def split(cells, last):
    """Las celdas hasta ``last`` y las que siguen."""
    return cells[: last + 1], cells[last + 1 :]


def defined(wanted, statements):
    """Ejecuta solo las sentencias que hacen falta para que existan los nombres ``wanted``."""
    makes = [names_made(statement) for statement in statements]
    needed, pending = set(), set(wanted)
    while pending:
        name = pending.pop()
        for place, (statement, made) in enumerate(zip(statements, makes, strict=True)):
            if name in made and place not in needed:
                needed.add(place)
                pending |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    space = {}
    for place in sorted(needed):
        exec(compile(ast.Module([statements[place]], []), "2b", "exec"), space)
    return space


def names_made(statement):
    """Los nombres que deja una sentencia: una función, una clase, una importación o una asignación."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.Assign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return set()


def both(ours, theirs, messages):
    """Lo que entiende y contesta cada uno, mensaje por mensaje, en una misma conversación."""
    reference, state = theirs["Bot"](theirs["rule_intent"]), Conversation()
    for message in messages:
        expected = reference.reply(message)
        if len(reference.state.pending) > MAX_PENDING:
            return  # de ahí en adelante, el del servicio olvida a propósito
        found = ours.reply(message, state, TODAY)
        # El estado va y vuelve como en el servicio, y no tiene que cambiar nada.
        state = Conversation.from_dict(json.loads(json.dumps(state.to_dict())))
        yield message, expected, found


def test_same_rules(ours, theirs):
    assert list(theirs["intents"]) == INTENTS
    assert ours.rules.size == theirs["rules"].size
    assert ours.acts.size == theirs["acts"].size
    assert theirs["FORMS"] == FORMS


def test_same_answer_to_every_message_of_the_corpus(ours, theirs):
    for text in datasets.load_intents().texto:
        ((_, expected, found),) = both(ours, theirs, [text])
        assert found == expected, text


@pytest.mark.parametrize("script", ["CLIENT", "MIXED", "READER"])
def test_same_conversations_as_in_the_notebook(ours, theirs, script):
    for message, expected, found in both(ours, theirs, [message for message, _ in theirs[script]]):
        assert found == expected, message


PIECES = """
quiero reservar un libro / quiero encargar un libro importado / cuánto sale el envío? / Hamlet / el quijote / dos
dos ejemplares / 4400 / 1406 / el viernes / mañana / 31 de febrero / el domingo / sí / no / dale, confirmo / dejalo
cancelá / ¿aceptan tarjeta? / reservame dos copias de Bodas de sangre para el sábado / no, mejor tres / una / 0 / 99
de Ofelia Brandt / La lámpara de Yapeyú / se llama Gramática del viento / hola / gracias / ¿y eso? / codigo postal 12
hasta qué hora están hoy? / ok / corregí / de / por
"""


@pytest.mark.parametrize("seed", range(12))
def test_same_answers_in_random_conversations(ours, theirs, seed):
    chance = random.Random(seed)
    pieces = [piece.strip() for line in PIECES.strip().splitlines() for piece in line.split(" / ")]
    chat = chance.sample(list(datasets.load_dialogues().pregunta), 8)
    messages = [chance.choice(chat if chance.random() < 0.2 else pieces) for _ in range(30)]
    for message, expected, found in both(ours, theirs, messages):
        assert found == expected, (messages, message)


def test_odd_messages_get_an_answer(ours):
    for text in (
        "",
        " \n",
        "😀" * 300,
        "a\x00b",
        "(((((a*)*)*",
        "9" * 400,
        "²",
        "\u0301",
        "\ud83d",
        "ja" * 5000,
    ):
        for state in (Conversation(), Conversation(task="reservar_libro", asked="cantidad")):
            understood, message = ours.reply(text, state, TODAY)
            assert understood and message and len(message) < 2000


def test_quantities():
    assert [check_quantity(text) for text in ("dos copias", "una", "20", "diez")] == [2, 1, 20, 10]
    for wrong in ("0", "21", "²", "muchas"):
        with pytest.raises(ValueError, match="de 1 a 20"):
            check_quantity(wrong)


def test_a_date_can_be_next_year():
    assert check_date("2 de enero", datetime.date(2026, 12, 30)) == datetime.date(2027, 1, 2)
    with pytest.raises(ValueError, match="almanaque"):
        check_date("31 de febrero", TODAY)


def test_the_state_has_a_largest_size(ours):
    """Con lo más largo que se puede decir, en el alfabeto que más ocupa, el estado entra en su tope."""
    signer, state, chance = Signer("una clave de prueba cualquiera", 60), Conversation(), random.Random(0)
    long = lambda: "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(500))  # noqa: E731
    for _ in range(20):
        for message in ("quiero encargar un libro", long(), long(), "quiero reservar un libro", long()):
            ours.reply(message, state, TODAY)
            assert len(signer.sign(state.to_dict())) < MAX_STATE / 2
    assert len(state.pending) <= MAX_PENDING


def test_memory_does_not_grow_with_new_words(ours):
    ours.reply("hola", Conversation(), TODAY)
    before = len(ours.rules.nlp.vocab.strings), len(ours.acts.nlp.vocab.strings)
    for i in range(200):
        ours.reply(f"palabra{i} nueva{i}x", Conversation(task="reservar_libro", asked="fecha"), TODAY)
    assert (len(ours.rules.nlp.vocab.strings), len(ours.acts.nlp.vocab.strings)) == before
