"""Sphinx configuration: ``sphinx-build -W -b html doc doc/_build/html`` with ``pip install ".[doc]"``."""

from importlib.metadata import version as version_of
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

project = "skvr"
author = "The skvr developers"
copyright = author
release = version = version_of("skvr")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # after it: MathJax comes with the pages, from no other server
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autosummary_generate = False  # api.rst names every class itself
numpydoc_show_class_members = False

# What these pages mention of other projects and where it is, as plain text: a build asks no other server.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.txt"),
    "sklearn": ("https://scikit-learn.org/stable", "inventories/scikit-learn.txt"),
    "numpy": ("https://numpy.org/doc/stable", "inventories/numpy.txt"),
    "scipy": ("https://docs.scipy.org/doc/scipy", "inventories/scipy.txt"),
    "matplotlib": ("https://matplotlib.org/stable", "inventories/matplotlib.txt"),
    "pandas": ("https://pandas.pydata.org/docs", "inventories/pandas.txt"),
}

GALLERY_ORDER = [
    "plot_ten_lines.py",
    "plot_compare_solvers.py",
    "plot_choosing_a_solver.py",
    "plot_grid_search.py",
    "plot_unscaled_features.py",
    "plot_few_rows.py",
    "plot_sample_weights.py",
    "plot_partial_fit.py",
    "plot_batch_size_and_noise.py",
    "plot_constant_step.py",
    "plot_growing_batches.py",
    "plot_momentum_and_averaging.py",
    "plot_variance_reduction.py",
    "plot_sag_in_practice.py",
    "plot_svrg_inner_loop.py",
    "plot_convergence_rates.py",
    "plot_adaptive_rules.py",
    "plot_adam_counterexample.py",
    "plot_loss_surface.py",
    "plot_double_descent.py",
    "plot_exponential_steps.py",
]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"/benchmarks/|__init__\.py",
    "within_subsection_order": ExplicitOrder([*GALLERY_ORDER, "*"]),
    "nested_sections": False,
    "abort_on_example_error": True,
    "capture_repr": (),  # what an example prints, not what its last line returns
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "backreferences_dir": "auto_examples/backreferences",  # for the minigallery directive in api.rst
    "doc_module": "skvr",
    "inspect_global_variables": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skvr"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "images/favicon.svg"
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 4,
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
PAGES = [page.stem for page in Path(__file__).parent.iterdir() if page.suffix in (".md", ".rst")]
html_sidebars = {page: [] for page in PAGES}  # no list of the pages below them, since there are none
html_show_sourcelink = False
