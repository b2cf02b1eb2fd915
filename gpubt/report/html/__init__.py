"""Reports as one self-contained HTML file: `page.py` puts it together, `run.py` and `sweep.py` fill it, `assets/` draws it."""
