"""Lo que comparten dos o más notebooks del portfolio. Cada módulo carga solo lo que usa."""
