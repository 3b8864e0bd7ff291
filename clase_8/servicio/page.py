"""La página: una pestaña por servicio. Es un cliente más de la API, con sus mismos límites y errores."""

from __future__ import annotations

import html
import os

import httpx
from fastapi import FastAPI

from clase_8.servicio import explain
from clase_8.servicio.masking import MASK
from clase_8.servicio.schemas import MAX_ARTICLE, MAX_MASKED, MAX_MESSAGE, MAX_REVIEW, MAX_TEXTS

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # gradio la lee al importarse

REVIEWS = [
    ["La tela es preciosa y el talle quedó justo. La volvería a comprar."],
    ["Se cierra sola cada vez que quiero pagar. La desinstalé."],
    ["La fotografía es hermosa, pero el guion no va a ninguna parte y me dormí dos veces."],
]
ARTICLE = (
    "El faro de la isla se encendió por primera vez en 1904, después de tres naufragios en un mismo "
    "invierno. Lo cuidaban tres familias que se turnaban para darle cuerda al mecanismo cada cuatro horas. "
    "La luz se veía a veinte millas si no había niebla. En 1978 se instaló un motor eléctrico y las familias "
    "se mudaron al pueblo. Hoy el faro es automático y lo visita un técnico dos veces por año. La vieja "
    "casa de los fareros es un museo que abre los domingos."
)
MASKED = [
    [f"Para solucionar los {MASK} del país, el presidente debe {MASK} de inmediato."],
    [f"Hoy hace mucho {MASK}: llevá un abrigo."],
    [f"La {MASK} tocó el piano toda la noche."],
]
MESSAGES = [
    ["Hola, quiero reservar un libro"],
    ["Bodas de sangre"],
    ["¿Hasta qué hora abren?"],
    ["Dos, para mañana"],
]
PRIVATE = {"api_visibility": "private", "show_progress": "minimal"}  # la API es la otra, documentada


class Client:
    """La API, llamada sin salir del proceso."""

    def __init__(self, app: FastAPI):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://servicio", timeout=None)

    async def post(self, path: str, **payload) -> dict:
        """La respuesta; si es un error, uno de gradio con el mismo mensaje."""
        import gradio as gr

        response = await self._http.post(path, json=payload)
        content = response.json()
        if response.is_success:
            return content
        message = " ".join([content["error"], *content["detalles"]])
        raise gr.Error(message, title="No se pudo", print_exception=False)


def mount_page(app: FastAPI) -> None:
    """Pone la página en «/»."""
    import gradio as gr

    gr.mount_gradio_app(
        app,
        build_page(Client(app)),
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        max_file_size="1kb",  # ninguna pestaña recibe archivos
    )


def build_page(client: Client):
    """La página entera, como un ``gradio.Blocks``."""
    import gradio as gr

    with gr.Blocks(title="PLN en español", analytics_enabled=False) as page:
        gr.Markdown(
            "# PLN en español\nCuatro modelos entrenados en este portfolio. Lo que se escribe acá no se guarda; "
            "los mismos servicios se pueden llamar desde un programa: la documentación está en [/docs](/docs)."
        )
        with gr.Tab("Estrellas"):
            _stars_tab(gr, client)
        with gr.Tab("Resumen"):
            _summary_tab(gr, client)
        with gr.Tab("Palabra"):  # nombres cortos: en un teléfono entran los cuatro
            _mask_tab(gr, client)
        with gr.Tab("Bot"):
            _bot_tab(gr, client)
    return page.queue(max_size=64, default_concurrency_limit=8)


def _stars_tab(gr, client: Client) -> None:
    text = gr.Textbox(label="Reseña", lines=4, max_length=MAX_REVIEW, elem_id="resena")
    button = gr.Button("Calificar", variant="primary", elem_id="calificar")
    gr.Examples(REVIEWS, text, label="Ejemplos", api_visibility="private")
    label = gr.Label(label="Estrellas", elem_id="estrellas")
    words = gr.HighlightedText(
        label="Qué palabras pesaron", show_legend=False, show_inline_category=False, elem_id="palabras"
    )
    gr.Markdown(
        "Cada palabra se sacó por separado. Las rojas sostienen la predicción: sin ellas es menos probable. Las "
        "azules van en contra."
    )

    async def classify(review: str):
        spans = explain.occlude(review, MAX_TEXTS - 1)
        texts = [review, *(explain.without(review, span) for span in spans)]
        answer = await client.post("/v1/sentimiento", textos=texts)
        whole, *rest = answer["resultados"]
        place = whole["estrellas"] - 1
        changes = [whole["probabilidades"][place] - one["probabilidades"][place] for one in rest]
        names = ["1 estrella", *(f"{n} estrellas" for n in range(2, 6))]
        chart = dict(zip(names, whole["probabilidades"], strict=True))
        return chart, explain.highlight(review, spans, changes)

    gr.on([button.click, text.submit], classify, text, [label, words], **PRIVATE)


def _summary_tab(gr, client: Client) -> None:
    text = gr.Textbox(label="Texto", lines=8, max_length=MAX_ARTICLE, elem_id="texto")
    count = gr.Slider(1, 10, value=2, step=1, label="Oraciones")
    button = gr.Button("Resumir", variant="primary", elem_id="resumir")
    summary = gr.Textbox(label="Resumen", lines=4, interactive=False, elem_id="resumen")
    gr.Examples(
        [[ARTICLE]], text, label="Ejemplo", example_labels=["El faro de la isla"], api_visibility="private"
    )

    async def summarize(article: str, sentences: float):
        return (await client.post("/v1/resumen", texto=article, oraciones=int(sentences)))["resumen"]

    button.click(summarize, [text, count], summary, **PRIVATE)


def _mask_tab(gr, client: Client) -> None:
    text = gr.Textbox(
        label=f"Texto, con {MASK} en lugar de cada palabra tapada", max_length=MAX_MASKED, elem_id="tapado"
    )
    button = gr.Button("Adivinar", variant="primary", elem_id="adivinar")
    table = gr.Dataframe(
        headers=["Lugar", "Palabra", "Probabilidad"],
        label="Candidatas",
        interactive=False,
        elem_id="candidatas",
    )
    gr.Examples(MASKED, text, label="Ejemplos", api_visibility="private")

    async def fill(masked: str):
        answer = await client.post("/v1/mascara", texto=masked)
        return [
            [place, word["palabra"], f"{word['probabilidad']:.3f}".replace(".", ",")]
            for place, words in enumerate(answer["lugares"], start=1)
            for word in words
        ]

    gr.on([button.click, text.submit], fill, text, table, **PRIVATE)


def _bot_tab(gr, client: Client) -> None:
    chat = gr.Chatbot(
        label="Librería El Zaguán",
        height=360,
        render_markdown=False,
        buttons=[],
        feedback_options=None,
        elem_id="chat",
    )
    state = gr.State()
    text = gr.Textbox(label="Mensaje", max_length=MAX_MESSAGE, elem_id="mensaje")
    with gr.Row():
        button = gr.Button("Enviar", variant="primary", elem_id="enviar")
        restart = gr.Button("Empezar de nuevo", elem_id="empezar")
    gr.Examples(MESSAGES, text, label="Ejemplos", api_visibility="private")

    async def answer(message: str, history: list, signed: str | None):
        reply = await client.post("/v1/bot", mensaje=message, estado=signed)
        said = (("user", message), ("assistant", reply["respuesta"]))
        # Chatbot interpreta HTML, y el bot repite lo que le dicen: se muestra tal como se escribió.
        turns = [{"role": role, "content": html.escape(text, quote=False)} for role, text in said]
        return "", [*history, *turns], reply["estado"]

    gr.on([button.click, text.submit], answer, [text, chat, state], [text, chat, state], **PRIVATE)
    restart.click(lambda: ([], None), None, [chat, state], **PRIVATE)
    chat.clear(lambda: None, None, state, **PRIVATE)  # el botón que trae el propio chat
