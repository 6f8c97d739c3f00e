"""What is said while a model is fetched and loaded: less than the hub and transformers would, and what is waited for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HUB_PATIENCE = 2.0  # seconds without an answer after which a reader is told what is waited for


@contextmanager
def quiet_hub() -> Iterator[None]:
    """The hub's reports of every try off, and on again if they were: what comes of them is raised."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def waiting_for_hub(name: str) -> Iterator[None]:
    """Say once what is waited for, if that takes long: a hub out of reach is tried for half a minute."""
    log = logging.getLogger(__name__)
    timer = threading.Timer(HUB_PATIENCE, log.warning, ("waiting for the Hugging Face hub, asked for %r", name))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """transformers' own progress bars and reports off, and on again if they were."""
    from transformers.utils import logging as reports

    shown, level = reports.is_progress_bar_enabled(), reports.get_verbosity()
    reports.disable_progress_bar()
    reports.set_verbosity(reports.CRITICAL)
    try:
        with quiet_hub():
            yield
    finally:
        reports.set_verbosity(level)
        if shown:
            reports.enable_progress_bar()
