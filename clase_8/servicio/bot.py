"""El bot de reglas de la clase 2, listo para atender muchas conversaciones a la vez.

Entiende y contesta lo mismo que el ``Bot(rule_intent)`` de ``clase_2/2b_bot_de_reglas.ipynb``, donde se
explica cómo está hecho, y una prueba los compara. Cambia lo que pide un servicio: el estado no vive en el
bot sino que entra y sale con cada mensaje, «hoy» es el día de verdad, y la memoria no crece con lo que le
escriban.

>>> understood, message = Bot().reply("reservame Hamlet", state := Conversation())
>>> state.to_dict()  # lo que hace falta para seguir en otra réplica
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

from clase_8.servicio.bot_rules import (
    ACTS,
    CATALOGUE,
    COURTESY,
    FORMS,
    LABELS,
    MONTHS,
    NAMES,
    NUMBERS,
    RULES,
    SHORT,
    SOUNDS,
    TIMES,
    WEEKDAYS,
)
from utils.text import strip_accents

LOST = "No entiendo. Puedo ayudarte con libros, pedidos, pagos, horarios o eventos de la librería."
INTENTS = sorted(RULES)
MAX_CHARS = 500  # lo que se lee de un mensaje
# El estado firmado viaja con cada mensaje: su tamaño tiene que tener un tope.
MAX_PENDING = 4  # trámites interrumpidos que se recuerdan
MAX_VALUE = 100  # letras de un título o de un autor que no están en el catálogo


@dataclass
class Conversation:
    """Lo que el bot recuerda entre un mensaje y el siguiente.

    Attributes
    ----------
    task : str or None
        El trámite en curso, uno de ``FORMS``.
    slots : dict
        Los datos reunidos.
    asked : str or None
        El dato que se acaba de pedir.
    confirming : bool
        Si falta confirmar.
    pending : list of (str, dict)
        Los trámites interrumpidos, con sus datos.
    told : Counter
        Cuántas veces se contestó cada intención, para rotar las respuestas.
    """

    task: str | None = None
    slots: dict = field(default_factory=dict)
    asked: str | None = None
    confirming: bool = False
    pending: list = field(default_factory=list)
    told: Counter = field(default_factory=Counter)

    def to_dict(self) -> dict:
        """Como un diccionario que se puede escribir en JSON."""
        return {
            "task": self.task,
            "slots": _packed(self.slots),
            "asked": self.asked,
            "confirming": self.confirming,
            "pending": [[task, _packed(slots)] for task, slots in self.pending],
            "told": dict(self.told),
        }

    @classmethod
    def from_dict(cls, data: dict) -> Conversation:
        """Lo inverso de :meth:`to_dict`."""
        pending = [(task, _unpacked(slots)) for task, slots in data["pending"]]
        values = data | {"slots": _unpacked(data["slots"]), "pending": pending, "told": Counter(data["told"])}
        return cls(**values)


def _packed(slots: dict) -> dict:
    """Los datos, con la fecha como texto."""
    return {k: v.isoformat() if isinstance(v, datetime.date) else v for k, v in slots.items()}


def _unpacked(slots: dict) -> dict:
    return {k: datetime.date.fromisoformat(v) if k == "fecha" else v for k, v in slots.items()}


# --- leer -----------------------------------------------------------------------------------------


@lru_cache(maxsize=20_000)  # y no sin tope, como en el notebook: acá las palabras las elige quien escribe
def phonetic(word: str) -> str:
    """La palabra como suena, con las abreviaturas de chat expandidas."""
    word = strip_accents(word.lower(), keep="")
    word = SHORT.get(word, word)
    for sound, letter in SOUNDS:
        word = re.sub(sound, letter, word)
    return word


def _element(piece: str) -> dict:
    """Un elemento de un patrón, como lo pide el ``Matcher`` de spaCy."""
    if piece == "..":
        return {"OP": "{0,4}"}
    if piece == "#":
        return {"SHAPE": {"REGEX": "^d+$"}}
    options = piece.strip("()").split("|")
    if piece.isupper():
        return {"ENT_TYPE": {"IN": options}}
    keys = [phonetic(option.rstrip("*")) + (r"\w*" if option.endswith("*") else "") for option in options]
    return {"NORM": {"REGEX": f"^({'|'.join(keys)})$"}}


def _compiled(line: str) -> list[dict]:
    return [_element(piece) for piece in line.lstrip("!").split()]


def _entity_patterns() -> list[dict]:
    """El catálogo y las expresiones de tiempo y cantidad, como los pide ``EntityRuler``."""
    found = []
    for title, author in CATALOGUE.items():
        names = {title: "TITULO", re.sub("^(La|El|Don) ", "", title): "TITULO"}
        names |= {author: "AUTOR", author.split()[-1]: "AUTOR"}
        for name, label in names.items():
            pattern = [{"NORM": phonetic(word)} for word in name.split()]
            found.append({"label": label, "pattern": pattern, "id": title if label == "TITULO" else author})
    for label, lines in TIMES.items():
        found += [{"label": label, "pattern": _compiled(line)} for line in lines]
    return found


class Rules:
    """Lector de mensajes: palabras con su clave de sonido, entidades y patrones."""

    def __init__(self, rules: dict[str, str]):
        import spacy
        from spacy.matcher import Matcher

        self.nlp, self.size = spacy.blank("es"), {}
        self.ruler = self.nlp.add_pipe("entity_ruler")
        self.ruler.add_patterns(_entity_patterns())
        self.matcher = Matcher(self.nlp.vocab)
        for intent, block in rules.items():
            for line in filter(None, (line.strip() for line in re.split(r"[/\n]", block))):
                self.matcher.add(f"{intent}/{line}", [_compiled(line)])
                self.size[f"{intent}/{line}"] = len(line.replace("..", "").split()) + 2 * line.startswith("!")

    def read(self, text: str):
        """El mensaje separado en palabras, con sus entidades marcadas."""
        doc = self.nlp.make_doc(text)
        for token in doc:
            token.norm_ = phonetic(token.text)
        return self.ruler(doc)

    def hits(self, doc) -> list[str]:
        """Los patrones que aparecen, sin repetir, como «intención/patrón»."""
        return sorted({self.nlp.vocab.strings[match] for match, _, _ in self.matcher(doc)})


# --- comprobar y guardar datos --------------------------------------------------------------------


def check_date(text: str, today: datetime.date) -> datetime.date:
    """La fecha de «hoy», «pasado mañana», «el viernes» o «12 de marzo»; ValueError si no puede ser."""
    words = [strip_accents(word, keep="") for word in text.lower().split()]
    if words[-1] in ("hoy", "manana"):
        day = today + datetime.timedelta(days=words[-1] == "manana") * (1 + ("pasado" in words))
    elif words[-1] in WEEKDAYS:
        day = today + datetime.timedelta(days=(WEEKDAYS.index(words[-1]) - today.weekday()) % 7 or 7)
    else:
        try:
            month, number = MONTHS.index(words[-1]) + 1, int(words[0])
            # El 30 de diciembre, «2 de enero» es del año que viene. En el notebook, «hoy» es fijo.
            next_year = (month, today.month) == (1, 12)
            day = datetime.date(today.year + next_year, month, number)
        except ValueError:
            raise ValueError(f"El {text} no está en el almanaque.") from None
    if day.weekday() == 6:
        raise ValueError("Los domingos no abrimos.")
    if not 0 <= (day - today).days <= 5:
        raise ValueError("Guardamos hasta cinco días.")
    return day


def check_quantity(text: str) -> int:
    """La cantidad, en cifras o en palabras; ValueError si no es de 1 a 20."""
    word = strip_accents(text.lower(), keep="").split()[0]
    written = {name: number for number, name in enumerate(NUMBERS)} | {"una": 1, "uno": 1}
    number = int(word) if word.isdecimal() else written.get(word, 0)
    if not 1 <= number <= 20:
        raise ValueError("Podemos separar de 1 a 20 ejemplares.")
    return number


def check_postcode(text: str) -> str:
    """El código postal; ValueError si no son cuatro cifras."""
    digits = re.sub(r"\D", "", text)
    if not re.fullmatch(r"[1-9]\d{3}", digits):
        raise ValueError(f"«{text}» no parece un código postal: son cuatro cifras.")
    return digits


def read_slots(doc, asked: str | None) -> dict[str, str]:
    """Los datos que trae un mensaje; un número suelto es lo que se haya preguntado."""
    labelled = [entity for entity in doc.ents if entity.label_ in LABELS]
    found = {LABELS[entity.label_]: entity.ent_id_ or entity.text for entity in labelled}
    words = [*NUMBERS[2:], "uno"]
    if asked == "cantidad" and len(doc) <= 3:  # en una frase más larga, «un» y «una» suelen ser artículos
        words += ["un", "una"]
    free = [token for token in doc if not token.ent_type_]
    numbers = [token.text for token in free if token.is_digit or token.lower_ in words]
    if numbers and asked in ("cantidad", "código postal", None):
        found.setdefault(asked or "cantidad", numbers[0])
    if found.get("título") in CATALOGUE:
        found.setdefault("autor", CATALOGUE[found["título"]])
    return found


def shown(value) -> str:
    """Un dato, como se le dice al cliente."""
    return f"{value:%d/%m}" if isinstance(value, datetime.date) else f"{value}"


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """Texto en forma NFC, sin caracteres de control, con espacios simples y no más de ``limit`` letras."""
    text = unicodedata.normalize("NFC", text[: 4 * limit])
    kept = (" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return " ".join("".join(kept).split())[:limit]


# --- conversar ------------------------------------------------------------------------------------


class Bot:
    """El bot. No recuerda nada: la conversación se le da con cada mensaje. No es para varios hilos a la vez."""

    def __init__(self):
        from utils import datasets

        self.rules, self.acts = Rules(RULES), Rules(ACTS)
        self.replies = datasets.load_intent_answers().groupby("intencion").respuesta.agg(list).to_dict()

    def reply(self, text: str, state: Conversation, today: datetime.date | None = None) -> tuple[str, str]:
        """Contesta un mensaje y pone al día ``state``.

        Parameters
        ----------
        text : str
            De lo que pase de ``MAX_CHARS`` letras no se lee nada.
        state : Conversation
            Se modifica.
        today : datetime.date, optional
            Por omisión, el día de hoy.

        Returns
        -------
        understood, message : str
            Lo que entendió (una intención, «dato: título», «confirma», «otra»…) y lo que contesta.
        """
        text = clean(text)
        if not text:
            return "vacío", "No me llegó ningún texto."
        # Cada palabra nueva queda para siempre en el vocabulario de spaCy, salvo adentro de una zona.
        with self.rules.nlp.memory_zone(), self.acts.nlp.memory_zone():
            turn = _Turn(self, text, state, today or datetime.date.today())
            understood, message = turn.reply()
        del state.pending[:-MAX_PENDING]
        return understood, message

    def scores(self, doc) -> dict[str, float]:
        """Puntos de cada intención: su patrón más largo, más una décima por palabra de todos los suyos."""
        sizes = {intent: [] for intent in INTENTS}
        for hit in self.rules.hits(doc):
            sizes[hit.split("/")[0]].append(self.rules.size[hit])
        scores = {intent: max(found) + 0.1 * sum(found) if found else 0.0 for intent, found in sizes.items()}
        if sum(score > 0 for score in scores.values()) > 1:
            for intent in COURTESY:  # «hola, ¿cuánto sale el Quijote?» no es un saludo
                scores[intent] -= 1
        return scores

    def intent(self, doc) -> str:
        """La intención de un mensaje, u «otra»."""
        scores = self.scores(doc)
        best = max(INTENTS, key=scores.__getitem__)
        return best if scores[best] > 0 else "otra"

    def answer(self, intent: str, state: Conversation) -> str:
        """Una de las respuestas de la librería, rotando para no repetirse."""
        options = self.replies[intent]
        turn = state.told[intent] % len(options)
        state.told[intent] = turn + 1
        return options[turn]


class _Turn:
    """Un mensaje, con lo que hace falta para contestarlo."""

    def __init__(self, bot: Bot, text: str, state: Conversation, today: datetime.date):
        self.bot, self.text, self.state, self.question = bot, text, state, "?" in text
        self.doc = bot.rules.read(text)
        self.checks = {
            "fecha": lambda value: check_date(value, today),
            "cantidad": check_quantity,
            "código postal": check_postcode,
        }

    def reply(self) -> tuple[str, str]:
        if self.state.task:
            return self._continue_task()
        intent = self.bot.intent(self.doc)
        if intent in FORMS:
            return intent, self._start(intent)
        return intent, LOST if intent == "otra" else self.bot.answer(intent, self.state)

    def _continue_task(self) -> tuple[str, str]:
        """Un turno con un trámite en curso. El orden de las preguntas es el diseño."""
        state, said = self.state, self._acts()
        if "abandona" in said and not self.question:
            return "abandona", self._close("Listo, no anoto nada.")
        intent = self.bot.intent(self.doc)
        other = intent not in ("otra", state.task)
        if other and self.question:
            return intent, self._change_subject(intent)
        found = read_slots(self.doc, state.asked)
        found = {slot: value for slot, value in found.items() if slot in FORMS[state.task]}
        if found:
            label = "corrige" if found.keys() & state.slots.keys() else "dato"
            return f"{label}: {', '.join(found)}", " ".join([*self._fill(found), self._next_step()])
        if state.confirming and said == {"afirma"}:
            return "confirma", self._close(f"¡Hecho! Anotamos {NAMES[state.task]}.")
        if state.confirming and "niega" in said:
            return "niega", "¿Qué cambiamos? Decime el dato nuevo."
        if other:
            return intent, self._change_subject(intent)
        return self._free_text()

    def _acts(self) -> set[str]:
        """Si el mensaje afirma, niega o abandona."""
        acts = self.bot.acts
        return {hit.split("/")[0] for hit in acts.hits(acts.read(self.text))}

    def _start(self, task: str) -> str:
        """Abre un trámite; el que estaba en curso queda pendiente."""
        state = self.state
        if state.task:
            state.pending.append((state.task, state.slots))
        state.task, state.slots = task, {}
        return " ".join([*self._fill(read_slots(self.doc, "título")), self._next_step()])

    def _fill(self, found: dict[str, str]) -> list[str]:
        """Guarda los datos válidos; devuelve las advertencias y las correcciones."""
        notes, slots = [], self.state.slots
        for slot in FORMS[self.state.task]:
            if slot in found:
                try:
                    value = self.checks.get(slot, str)(found[slot])
                except ValueError as problem:
                    notes.append(str(problem))
                    continue
                old = slots.get(slot, value)
                if old != value:
                    notes.append(f"Corrijo {slot}: {shown(value)} en lugar de {shown(old)}.")
                slots[slot] = value
        return notes

    def _next_step(self) -> str:
        """Pide lo que falta, pide confirmación o cierra."""
        state = self.state
        missing = [slot for slot in FORMS[state.task] if slot not in state.slots]
        state.asked, state.confirming = (missing or [None])[0], not missing
        if missing:
            return FORMS[state.task][state.asked]
        if state.task == "costo_envio":
            local = state.slots["código postal"] < "1500"
            return self._close(f"Tarda {'uno o dos' if local else 'de cuatro a seis'} días hábiles.")
        summary = ", ".join(f"{slot}: {shown(value)}" for slot, value in state.slots.items())
        return f"Anoto {NAMES[state.task]} ({summary}). ¿Confirmás?"

    def _close(self, message: str) -> str:
        """Termina el trámite y retoma el que hubiera quedado en el medio."""
        state = self.state
        state.task, state.slots, state.asked, state.confirming = None, {}, None, False
        if state.pending:
            state.task, state.slots = state.pending.pop()
            message += f" Retomemos {NAMES[state.task]}. {self._next_step()}"
        return message

    def _change_subject(self, intent: str) -> str:
        """Contesta otra cosa y vuelve, o abre otro trámite encima."""
        if intent in FORMS:
            return self._start(intent)
        answer = self.bot.answer(intent, self.state)
        return f"{answer} Sigamos con {NAMES[self.state.task]}. {self._next_step()}"

    def _free_text(self) -> tuple[str, str]:
        """Lo último: tomar el mensaje entero como título o autor, si se había pedido eso."""
        asked = self.state.asked
        if asked in ("título", "autor") and not self.question and len(self.text.split()) <= 10:
            start = r"^(es|se llama|de|por|el libro|la novela)\s+"
            value = re.sub(start, "", self.text.strip(" .!"), flags=re.I)[:MAX_VALUE]
            return f"dato: {asked}", " ".join([*self._fill({asked: value}), self._next_step()])
        return "otra", f"{LOST} {self._next_step()}"
