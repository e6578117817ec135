"""What the tests of frontends share."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import nbformat
from nbformat import v4

from driver import NAME, PATIENCE

COUNTS = {"clients": 0, "cells": 0, "outputs": 0}
PRELUDE = "use holoscope::prelude::*;"


def command(name):
    """A script of this Python's environment."""
    return str(Path(sys.executable).with_name(name))


class Frontend(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        COUNTS["clients"] += 1

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="holoscope-frontend-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # Nothing of the machine's own settings, and nothing of ours into them.
        self.env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.folder / "workspaces"),
            "HOLOSCOPE_HISTORY": str(self.folder / "history.jsonl"),
        }

    def notebook(self, *cells, tags=None):
        """A notebook for our kernel; `tags` of its first cell."""
        notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": NAME, "display_name": "Rust (Holoscope)", "language": "rust"}
        notebook.metadata["language_info"] = {"name": "rust"}
        if tags:
            notebook.cells[0].metadata["tags"] = tags
        path = self.folder / "in.ipynb"
        nbformat.write(notebook, path)
        return path

    def call(self, *arguments):
        return subprocess.run(
            arguments, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=4 * PATIENCE
        )

    def succeeds(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def fails(self, *arguments):
        done = self.call(*arguments)
        self.assertNotEqual(done.returncode, 0, "a failed cell must fail the run")
        return done.stdout + done.stderr

    def outputs(self, path):
        """The outputs of each code cell; the notebook must be valid and numbered from 1."""
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        run = [cell.execution_count for cell in cells if cell.execution_count]
        self.assertEqual(run, list(range(1, len(run) + 1)))
        COUNTS["cells"] += len(run)
        COUNTS["outputs"] += sum(len(cell.outputs) for cell in cells)
        return [cell.outputs for cell in cells]
