"""Lo que el bot sabe: sus patrones, su catálogo y sus palabras, los mismos de la clase 2.

Un patrón es una línea del idioma que define el notebook ``2b_bot_de_reglas``: ``(a|b)`` es una alternativa,
``raíz*`` cualquier terminación, ``..`` hasta cuatro palabras en el medio, ``#`` un número, una palabra en
mayúsculas una entidad, y ``!`` delante, que pesa más. Van separados por ``/``. Una prueba comprueba que sigan
siendo los del notebook.
"""

import re

SHORT = {"q": "que", "k": "que", "x": "por", "xq": "porque", "pa": "para", "d": "de"}

SOUNDS = [  # en orden; G, K y C guardan un sonido mientras se reescriben los demás
    ("gu(?=[ei])", "G"), ("qu(?=[ei])", "k"), ("c(?=[ei])|z", "s"), ("g(?=[ei])", "j"), ("ch", "C"),
    ("[cq]", "k"), ("v", "b"), ("ll", "y"), ("h", ""), ("G", "g"), (r"(\D)\1+", r"\1"),
]  # fmt: skip

BOOKS = """
Orgullo y prejuicio: Jane Austen / Don Segundo Sombra: Ricardo Güiraldes / Don Quijote: Miguel de Cervantes
La metamorfosis: Franz Kafka / Facundo: Domingo Faustino Sarmiento / El matadero: Esteban Echeverría
La isla del tesoro: Robert Louis Stevenson / Hamlet: William Shakespeare / Mujercitas: Louisa May Alcott
Ana Karenina: León Tolstói / El conde de Montecristo: Alejandro Dumas / Cumbres borrascosas: Emily Brontë
Martín Fierro: José Hernández / Moby Dick: Herman Melville / Drácula: Bram Stoker / Frankenstein: Mary Shelley
La Ilíada: Homero / La divina comedia: Dante Alighieri / Fortunata y Jacinta: Benito Pérez Galdós
La vuelta al mundo en ochenta días: Julio Verne / Bodas de sangre: Federico García Lorca
Platero y yo: Juan Ramón Jiménez / Madame Bovary: Gustave Flaubert / Crimen y castigo: Fiódor Dostoievski
La Regenta: Leopoldo Alas / La Celestina: Fernando de Rojas / Oliver Twist: Charles Dickens
Cuentos de la selva: Horacio Quiroga / Rimas y leyendas: Gustavo Adolfo Bécquer
"""

CATALOGUE = dict(book.strip().split(": ") for book in re.split(r"[/\n]", BOOKS.strip()))

DAYS = "(lunes|martes|miercoles|jueves|viernes|sabado|domingo)"

MONTHS = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]

NUMBERS = ["cero", "un", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"]

TIMES = {
    "FECHA": ["(hoy|manana)", "pasado manana", DAYS, f"el {DAYS}", f"# de ({'|'.join(MONTHS)})"],
    "MOMENTO": ["(la|de|una|por) (manana|tarde|noche)"],
    "CANTIDAD": [f"(#|{'|'.join(NUMBERS)}|una|uno) (ejemplar|ejemplares|copia|copias|libros|tomos|juegos)"],
    "CP": ["codigo postal #", "cp #"],
}

RULES = {
    "saludo": """
hola* / holis / alo / ey / buen (dia|dias) / (buenos|muy|lindo) (dia|dias|buenas) / (buenas|wenas)
(buenas|wenas) (tardes|noches) / que (tal|onda) / como (andan|andas|estan|estas|va) / como les va / todo bien
saludos / (un|los) saludo / permiso / estimad* / es la primera vez
(tengo|tenia|hacer*|hago|con) .. (consulta|pregunta|duda) / (puedo|podria|puede) (preguntar|consultar|hacer*)
me (podrian|pueden|podes) ayudar""",
    "despedida": """
chau* / xau / adios / hasta (luego|pronto*|manana|siempre|ahi) / hasta la (proxima|vista|vuelta) / hasta el FECHA
nos (vemos|hablamos|escribimos|leemos) / me (voy|despido) / me tengo que ir / los dejo
que (tengan|anden|descansen|pasen|vendan|sigan) / que (les|te) vaya / (cuidense|cuidate) / (un|otro) abrazo / besos
(eso|esto) (era|es|seria) todo / nada mas / no tengo mas / buen (finde|fin) / linda semana / la seguimos
sin otro particular / (vuelvo|despues|luego) .. (escribir|escribo)""",
    "agradecimiento": """
gracias* / agrade* / (genia|genias|genio|genios|capos|crack|cracks|divinos|divina) / son unos
(me|nos) (salvaron|salvaste|ayudaron|ayudaste) / que (amable|amables) / muy (amable|amables) / te pasaste
se pasaron / (impecable|excelente|buenisimo|buenisima) / excelente .. atencion / buena onda / en deuda / te debo
el favor / me emocion* / da gusto / (valoro|aprecio) / de diez""",
    "horarios": """
!horario* / (a|hasta|desde) que hora / !que hora .. (abren|abre|cierran|cierra|atienden|arrancan|levantan|bajan)
que dias / !(abren|cierran)
(abren|cierran|atienden|trabajan|hay) .. (sabado*|domingo*|feriado*|mediodia|igual|FECHA)
(esta|estan|estaran|siguen|encontrar) .. (abierto*|abierta*|cerrado*|cerrada*) / cuando puedo (pasar|ir) / !feriado*
(jueves|viernes) santo / hacen siesta / al mediodia
(vacaciones|enero|navidad|diciembre) .. (abren|atienden|horario|cierran|vacaciones)
llego .. (abierto*|atendiendo|cerrar*) / (bajan|levantan) la (cortina|persiana) / antes de las #
horario de atencion""",
    "ubicacion": """
!donde (queda|quedan|estan) / donde se encuentran / donde los encuentro / donde es / direccion / !direccion exacta
!direccion del local / !ubicacion / !como (llego|llegar) / !como se llega / !como hago para llegar
(subte|colectivo|bondi|tren|bici|autopista|auto|micro) / que (colectivo|bondi|subte|linea|tren) / !estacionar
!estacionamiento / !cochera / (tienen|hay|otra|alguna) .. sucursal* / que .. (barrio|zona)
!(esquina|altura|cuadra|cuadras) / que calles / (el|en) (mapa|maps) / (queda|quedan|estan) .. (lejos|cerca)
!silla de ruedas / !(rampa|escalones|escaleras|ascensor) / se mudaron / (local|libreria) .. (calle|galeria|esquina)
balcarce / pasaje quiroga / encontrarlos""",
    "hablar_con_persona": """

!(hablar|hablo|comunicarme|comunicame|conversar|pasame|pasenme|derivame|contactarme) con (una|un|alguien|el|la|algun)
(hablar|hablo|comunic*|pasame|atienda|atender|llamar) .. (persona|humano|alguien|empleado|vendedor|dueno|encargado|encargada|gerente|librero|asesor|operador|responsable)
!humano* / (sos|es) .. (robot|bot|maquina|verdad) / !(robot|bot) / maquina / carne y hueso
(alguien|persona) .. (real|verdad|llame|atienda|conteste) / (derivame|derivenme|comunicame) / mas botones
respuestas automaticas / atencion al cliente / a que numero llamo / no me estas entendiendo / que venga otro
(necesito|prefiero) .. (asesor|empleado|vendedor) / una persona
(con|directamente) .. (encargada|encargado|dueno|gerente|librero)""",
    "consultar_stock": """
(tienen|tenes|tendran|tendrian|hay|habra|esta|venden|trabajan|manejan|entro|llego) .. (TITULO|AUTOR)
(hay|tienen|queda) .. stock / !en stock / !disponib* / (les|te) (queda|quedan|quedo|quedaron)
(queda|quedan|quedo|quedaron) .. (ejemplar|ejemplares|copia|copias|uno)
(busco|buscaba|buscando) .. (libro|libros|novela|TITULO|AUTOR) / (estoy|ando) buscando / busco
(tienen|tenes|hay|venden|andan|trabajan|quedan) .. (libros|manuales|novelas|poesia|cuentos|historietas|comics|diccionarios|atlas)
algo de AUTOR / (entro|llego|salio) .. (nueva|nuevo|ultimo|ultima) / (lo|la|los|las) (tienen|tenes|tendran)
repusieron / fijate / en (los|el) (estantes|estante|deposito) / (dice|figura|aparece) (agotado|disponible)
(saber|confirmar|confirmen|averiguar) si .. (tienen|hay|esta|trabajan|manejan|les)""",
    "consultar_precio": """
cuanto (sale|salen|cuesta|cuestan|vale|valen|esta|estan|piden|saldria)
cuanto me (sale|cuesta|costaria|costarian|cobran|saldria) / cuanto .. TITULO / !precio*
precio* .. (libro|TITULO|novela*|tomo*|AUTOR|edicion) / a (cuanto|como) (esta|estan|tienen|lo|la|los|venden)
por cuanto / que (valor|importe|costo) / (importe|costo|valor) (de|del) / !presupuesto / cotiz* / (caro|cara|caros)
(subio|aumento) .. TITULO / diferencia de (plata|precio) / llego a comprar*""",
    "recomendacion": """
!recomend* / !recomiend* / !suger* / !sugier* / !aconsej* / que leo / que puedo leer / que le (regalo|llevo)
que me llevo / que le (llevarian|regalarian|gustaria) / regalarle algo / hacer .. regalo
regal* .. (mama|papa|novio|novia|suegra|suegro|hijo|hija|abuelo|abuela|amigo|amiga|hermano|hermana|sobrino|sobrina)
algo (cortito|corto|lindo|bueno|divertido|parecido|liviano) / algo para (leer|regalar)
(le|les) (gusta|gustan|encanta|encantan) / !vale la pena / (con|por|de) que (sigo|arranco|empiezo)
por donde (empiezo|empezar|empezamos|arranco) / (libro|novela|algo) que (enganche|atrape|haga|guste|sea)
!sorprend* / novela* .. que valga* / ganas de (leer|llorar|reir*) / mas les gusto / (favorito|preferido)
tiren (uno|alguno|ideas) / nunca lei / odia leer / ustedes que (dicen|opinan)
(nene|nena|chico|chica|hijo|hija|sobrino|sobrina) de""",
    "reservar_libro": """
!reserv* / (guardame|guardenme|guardan|guardas|guarden|guardar|guardarme|guardarlo|guardamelo)
me .. (guardas|guardan|apartan|separas|separan|apartarian|retienen) / !apart* / (separ|separame|separenme|separen)
retengan / (hacer|pedir|pido) .. reserva / no (lo|la|los) vendan / que no se lo lleve
(lo|la|los) (retiro|busco|levanto|paso) / (paso|voy|ir|pasar|vaya) .. (retirar*|buscar*) / paso el FECHA
(detras|atras) del mostrador / (ponganle|anoten) mi nombre / hasta cuando .. (tener|guardan) / dejar* apartado
salgo para alla""",
    "encargar_libro": """
!encargar* / encargo / !encarg* .. (libro|titulo|ejemplar*)
me .. (consiguen|conseguis|conseguir|consigan|conseguirian) / consegui* / consigu*
(mandar|mandan|mandarian|manden) a (pedir|traer) / !importado* / (importar|importen)
(de|del|desde) .. (afuera|exterior|extranjero|espana|mexico|italia|francia) / traen .. (exterior|afuera|pedido)
traer .. (de|del) / pedidos especiales / a pedido / (pidan|pedir*|piden) .. (editorial|distribuidor)
no (lo|la|los) (tienen|trabajan|consigo|encuentro) / sin stock / que .. no (tienen|trabajan|estan)
(pueden|podrian) .. (pedirlo|pedirmelo|traerlo|traerme) / agotado .. (anotarme|conseguir|traer|pedir|encargar)
no hay .. lado / (rastrear*|ubican) / no se (reimprime|consigue|edita) / lo piden ustedes""",
    "libro_digital": """
!(ebook|ebooks|epub|kindle|mobi) / pdf / !(audiolibro|audiolibros) / !digital* / !libro (electronico|digital)
(version|formato|copia|edicion) (digital|electronica|virtual) / !descarg* / bajar*
(en|desde) (el|la|mi) (celular|telefono|pantalla|tableta|tablet|compu|kindle) / lector .. (tinta|electronico)
narrad* / en voz alta / enlace / el archivo / que formato* / electronico""",
    "libros_usados": """
!usados / !libros usados / !segunda mano
(compran|venden|reciben|toman|comprarian) .. (usados|viejos|leidos|biblioteca|antiguos|enciclopedia) / libros viejos
(vender|venderles|vendo|vendi) / !canje / !canjes / donar* / donacion* / tasa*
(biblioteca|cajas|coleccion) .. (comprarian|enorme|entera|lee) / primera edicion / descatalogados / trueque
cuanto pagan / subrayado / me mudo / textos escolares / ya leidos""",
    "medios_de_pago": """

(aceptan|toman|tienen|reciben|tomas) .. (tarjeta|tarjetas|debito|credito|efectivo|cheque|cheques|dolares|transferencia*|qr|billetera)
!cuotas / !(medio|medios|forma|formas|metodos) de pago / (puedo|puede|podria) .. (pagar|abonar)
(pagar|pago|abonar|abono) .. (con|en|por|mitad|efectivo|tarjeta|transferencia|qr)
(tarjeta|debito|credito|efectivo|qr|transferencia) / tarjeta de (credito|debito) / (alias|cbu) / mercado pago
(cheques|dolares|reales|euros) / transferir / transferencia bancaria / codigo qr
billetera (virtual|electronica|digital) / sin interes / recargo / fian
(seis|tres|doce|varias|varios) (veces|pagos|meses) / como .. (pago|pagarles) / manera de (pagar|pagarles)""",
    "promociones": """
!descuento* / !promo* / !oferta* / !rebaja* / 2x1 / dos por uno / cupon / saldos / mesa de saldos / bonific*
liquidacion / (me|nos) hacen (precio|algo) / mas (barato|baratos) / baratitos / me bajan
(jubilad*|docente*|estudiante*|maestra*|maestro*) / por ciento / (juntan|suman|acumulan) puntos
noche de las librerias / si (llevo|compro) .. (cinco|varios|muchos|dos|tres|mas) / menor precio / preventa""",
    "factura": """
!factur* / (hacen|quiero|necesito|pido|pedir) .. factura / !factura electronica / !comprobante* / ticket
(perdi|reimprimir) .. ticket / recibo / !(cuit|iva|afip) / monotribut* / !razon social / !consumidor final
!nota de credito / !datos fiscales / proforma / (mi|la) contador* / a nombre de .. (empresa|escuela|fundacion|quien)
emitir / pdf .. blanco""",
    "tarjeta_regalo": """
!(tarjeta|tarjetas|vale|vales|cheque|bono) (de|para) (regalo|regalar) / !(tarjeta|tarjetas) regalo
!(gift|giftcard) / (un|el|mi|del|los) vale / !vales / !saldo .. (tarjeta|vale|gift)
(ver|veo|consultar|saber|cuanto) .. saldo / cargarle / monto / !orden de compra
(venc*|dura|vigencia) .. (vale|tarjeta|gift) / (vale|tarjeta|gift) .. venc* / que elija / (sobre|sobres) con credito""",
    "costo_envio": """
envio* / !(hacen|realizan|tienen) .. envio*
!(cuanto|costo|precio|valor|tarifa) .. (envio|envios|flete|transporte|mandarlo|enviarlo|enviar|despacho)
!envio* .. (gratis|domicilio|interior|gratuito) / !envio a / (mandan|despachan|envian|entregan) a
(mandan|despachan|envian) .. (interior|exterior|provincia|domicilio|pais|correo|moto) / entregas / a domicilio
delivery / !flete / cuanto .. (tarda|demora|tardan|demoran) .. (envio|llegar|entrega|zona) / que demora
(tarda|demora) en llegar / sin cargo / !codigo postal / (por|con) (correo|moto) / al interior
(vivo|estoy) en .. (mandan|llega|envian|cuanto|despachan) / si .. (compro|pido) .. llega / (plazos|tarifa)
hacerselo llegar / sucursal del correo""",
    "seguimiento_pedido": """
(donde|como) (esta|anda|va|viene|quedo) .. (pedido|paquete|compra|envio|libro|orden) / !seguimiento
numero de seguimiento / mi (paquete|pedido|envio|compra) / (pedido|orden) # / numero de (pedido|orden)
(todavia|aun|nunca) .. (llego|llega|llegaron|recibi|aparece|figura) / no me (llego|llegaron|llega)
!cuando (llega|llegan) / cuando me llega / (estado|novedades|noticias) (de|del) / en que quedo
(despacharon|despachado|enviaron) / ya salio / en (camino|preparacion|distribucion) / (compre|pedi|encargue) hace
hace .. (dias|semana|semanas|mes) / una compra / !(rastrear|rastreo|tracking) / lo que .. (compre|pedi) .. llega
ya puedo pasar / el (cartero|correo) .. (trae|vino|paso|dice) / ninguna confirmacion / falta mucho""",
    "cancelar_pedido": """
!cancel* / cancel* .. (pedido|compra|reserva|encargo|orden) / !anul* / !(dar|denlo|den|darlo|doy) de baja
me arrepenti / ya no (lo|la|los) (quiero|necesito) / no .. (manden|despachen|envien) / sin efecto / desist*
(detengan|detenganlo|detener) / (frenarlo|frenar|frenen)
(borran|borrar|borren|eliminar|saquen|sacar) .. (orden|ordenes|pedido|compra)
no voy a (ir|pasar|buscarlo|retirarlo) / soltarlo / para atras / por perdido / olvidense / sin querer""",
    "cambio": """
!cambio* / !cambiar* / (cambian|cambiarian|cambien) / !cambi* .. por (otro|otra|uno|una|el|la) / canjear / permut*
repetid* / dos iguales / ya (lo|la|los) (tenia|tengo) / lo tenia / me .. regalaron / (por|elegir) (otro|otra)
otra cosa / algo distinto / la diferencia / (mismo|menor|mayor) valor / en reemplazo / no (le|me) gusto
otro (titulo|tomo) / (lleve|compre) .. tomo / sin el ticket""",
    "devolucion": """
!devol* / !devuel* / !reembols* / !reintegr*
(quiero|recuperar|devuelvan|regresen|reponerme|pido) .. (plata|dinero|importe|pesos|pague) / mi (plata|dinero)
la plata / arrepent* .. compra / me lo reciben / de (vuelta|regreso)""",
    "reclamo": """
!reclam* / !quej* / (rot*|manchad*|doblad*|mojad*|danad*|golpead*|rayad*|arrugad*|despegad*|partido)
(llego|vino|llegaron|esta|mandaron|recibi|aparecio|vendieron) .. (rot*|manchad*|doblad*|mojad*|danad*|golpead*|rayad*|abierto|sucio|equivocado|mal|incompleto|fallad*|despegad*|vacio)
falta* .. (pagina*|hoja*) / hojas pegadas / (libro|pedido|titulo|ejemplar|tomo) equivocado
me (mandaron|enviaron|vendieron|dieron) .. (otro|otra|cualquier|equivocado|usado|nuevo) / no es (el|lo) que pedi
yo (pedi|pague) / (mal|mala|pesim*|horrible) .. (atencion|atendieron|trat*|servicio|experiencia|estado)
(me|nos) trataron / (grosero|maleducad*|irrespetuos*) / verguenza / (cobraron|cobran) .. (mas|mal|doble|dos|otra)
(falla|fallado|defecto|defectuoso) / al reves / nadie .. (contesta|responde|atiende) / disgusto / me hicieron ir
se (despego|rompio|desarmo) / (pague|pedi) .. (vino|llego) / quien se hace cargo / asi no se puede""",
    "eventos": """
!evento* / !taller* / taller de / !club de lectura / !presentacion* / charla* / !actividad* / agenda
(inscribo|inscribirme|inscripcion|anoto|anotarme|sumarme) / (cuentos|narracion) para (chicos|ninos|nenes)
narracion / cuentacuentos / firmar .. ejemplares / firma de / (ciclo|encuentro|recital|feria) / lectura de
queda (lugar|cupo) / presentar mi / con chicos / a que hora (empieza|arranca) / entrada / transmiten / por lluvia
(leyendo|libro) este mes / (autor|autora) .. (firma|viene|presenta)""",
}

COURTESY = ["saludo", "despedida", "agradecimiento"]

FORMS = {
    "reservar_libro": {
        "título": "¿Qué título te guardamos?",
        "cantidad": "¿Cuántos ejemplares?",
        "fecha": "¿Qué día pasás a buscarlo?",
    },
    "encargar_libro": {
        "título": "¿Qué título buscamos?",
        "autor": "¿De quién es?",
        "cantidad": "¿Cuántos ejemplares?",
        "código postal": "¿A qué código postal lo mandamos?",
    },
    "costo_envio": {"código postal": "¿A qué código postal?"},
}

NAMES = {"reservar_libro": "la reserva", "encargar_libro": "el encargo", "costo_envio": "el envío"}

WEEKDAYS = ["lunes", "martes", "miercoles", "jueves", "viernes", "sabado", "domingo"]

LABELS = dict(TITULO="título", AUTOR="autor", FECHA="fecha", CANTIDAD="cantidad", CP="código postal")

ACTS = {
    "afirma": "si / dale / ok / perfecto / correcto / confirm* / exacto / asi es / esta bien / listo",
    "niega": "no / incorrecto / esta mal / me equivoque / corregi*",
    "abandona": "dejalo / deja / olvidalo / olvidate / ya no quiero / no importa / cancel* / anul*",
}
