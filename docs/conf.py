"""The manual: Sphinx, MyST and furo. Build it with ``sphinx-build -W -n docs docs/_build``."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
# Notebooks run in processes of their own: they too measure this tree, quietly and on one thread.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # progress bars are text here
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import lmi  # noqa: E402

project = "lmi"
author = "the authors of lmi"
release = version = lmi.__version__
copyright = "the authors of lmi"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
    "public_names",
    "config_groups",
    "metric_names",
    "measured",
]
exclude_patterns = ["_build", "_ext", "**.ipynb_checkpoints"]
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!lmi\b).*")]  # other packages are not looked up: nothing is fetched

myst_enable_extensions = ["dollarmath", "deflist", "attrs_block"]
myst_heading_anchors = 3

nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_google_docstring = True
add_module_names = False

html_theme = "furo"
html_title = f"lmi {release}"
html_static_path = ["_static"]
html_css_files = ["lmi.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False
