"""Executes a notebook with nbclient, as `jupyter execute` does.

    execute.py KERNEL NOTEBOOK OUTPUT TIMEOUT_SECONDS

The notebook runs in its own folder. Exits 1 with nbclient's message when a
cell fails; the executed notebook is written either way.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

kernel, notebook, output, timeout = sys.argv[1:]
nb = nbformat.read(notebook, as_version=4)
client = NotebookClient(
    nb,
    kernel_name=kernel,
    timeout=int(timeout),
    startup_timeout=int(timeout),
    resources={"metadata": {"path": str(Path(notebook).resolve().parent)}},
)
failed = None
try:
    client.execute()
except CellExecutionError as error:
    failed = error
nbformat.write(nb, output)
if failed:
    sys.exit(f"cell failed: {failed}")
