# Órdenes del portfolio. `make` a secas muestra la ayuda.
PYTHON ?= python3
JOBS ?= 1
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := ayuda
.PHONY: ayuda instalar portfolio lab servir test actualizar sitio enlaces limpiar

ayuda: ## Muestra esta ayuda
	@echo "Uso: make <orden> [VARIABLE=valor]"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  JOBS=2            notebooks en paralelo (portfolio, actualizar)"
	@echo "  SOLO=1a           solo los notebooks cuyo nombre empieza así (portfolio, actualizar)"
	@echo "  FORZAR=1          vuelve a ejecutar también lo que no cambió (portfolio)"
	@echo "  VERSIONES=nuevas  instala las últimas versiones en lugar de las fijadas"
	@echo "  NLP_DATOS=reales  usa los datos públicos (los descarga una vez); si no, los embebidos"
	@echo "  NLP_CACHE=carpeta dónde están o se guardan los datos públicos"

# La marca se renueva cuando cambian las dependencias o el modo de fijarlas.
MARCA := $(VENV)/.instalado-$(or $(VERSIONES),fijas)
$(MARCA): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Hace falta Python 3.11, 3.12 o 3.13 (este es %d.%d): make PYTHON=python3.11 ..." % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Instalando dependencias en $(VENV) (unos minutos la primera vez)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
ifeq ($(VERSIONES),nuevas)
	@sed -E 's/==[^ ]+//' requirements.txt > $(VENV)/requirements-nuevas.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade -r $(VENV)/requirements-nuevas.txt
else
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
endif
	@rm -f $(VENV)/.instalado-*; touch $@

instalar: $(MARCA) ## Crea .venv e instala las dependencias

portfolio: $(MARCA) ## Ejecuta todos los notebooks; deja copias, HTML e índice en build/
	@$(BIN)/python -m utils.portfolio ejecutar --jobs $(JOBS) $(if $(FORZAR),--forzar) $(SOLO)

lab: $(MARCA) ## Abre JupyterLab en el repositorio, con el núcleo instalado
	@$(BIN)/jupyter lab --notebook-dir=.

servir: $(MARCA) ## Sirve la aplicación de la clase 8 en http://127.0.0.1:8000 (SERVICIO_PUERTO la cambia)
	@$(BIN)/python -m clase_8.servicio

test: $(MARCA) ## Corre las pruebas: estilo, utils/ y todos los notebooks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/python -m pytest -n 2 --dist loadfile

actualizar: $(MARCA) ## Re-ejecuta los notebooks en su lugar y renueva resultados.json y el README
	@$(BIN)/python -m utils.portfolio actualizar --jobs $(JOBS) $(SOLO)

# El sitio no necesita las dependencias de los notebooks: se hace con los ya ejecutados.
$(VENV)/.sitio: sitio/requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r sitio/requirements.txt
	@touch $@

sitio: $(VENV)/.sitio ## Construye el sitio en build/sitio, con los notebooks como están
	@$(BIN)/sphinx-build --quiet --fail-on-warning --jobs $(JOBS) -c sitio -d build/sitio.leido . build/sitio
	@echo "Sitio: build/sitio/index.html"

enlaces: ## Sella el dueño y el nombre del repositorio en insignias y enlaces
	@$(PYTHON) -m utils.portfolio enlaces

limpiar: ## Borra build/, .venv y archivos temporales
	@rm -rf build $(VENV) .pytest_cache .ruff_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
