"""Texts as documents, documents as windows of tokens: each token is read once, with its document and position."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_FOLDER = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Document:
    """A text and what to call it in messages."""

    name: str
    text: str


@dataclass(frozen=True)
class Window:
    """Tokens that the network reads at once.

    Args:
        document: index of the document.
        start: position of its first token in the document.
        stop: position behind its last token.
        skip: its first tokens that the window before it already gave; here they are context only.
    """

    document: int
    start: int
    stop: int
    skip: int


def read_documents(texts: Sequence[str] = (), files: Sequence[str] = (), folder: str | None = None) -> list[Document]:
    """Each text, each file and each ``*.txt`` and ``*.md`` below ``folder`` (sorted by path) is one document, in UTF-8.

    Nothing at all gives the texts that come with ``lmi``.

    Raises:
        FileNotFoundError: for a missing file or folder, or a folder without such files.
        ValueError: for an empty document or one that is not UTF-8.
    """
    for name, given in (("texts", texts), ("files", files)):
        if isinstance(given, str):
            raise ValueError(f"{name} is one string, {given[:20]!r}; expected several: {name}=[{given[:20]!r}]")
        odd = [item for item in given if not isinstance(item, str | os.PathLike)]
        if odd:
            raise ValueError(f"{name} holds a {type(odd[0]).__name__}, {odd[0]!r}; expected strings")
    if not texts and not files and folder is None:
        folder = str(DEFAULT_FOLDER)
    documents = [Document(f"texts[{index}]", text) for index, text in enumerate(texts)]
    for path in text_files(files, folder):
        if not path.is_file():
            raise FileNotFoundError(f"no text file at {str(path)!r}")
        try:
            documents.append(Document(str(path), path.read_text(encoding="utf-8-sig")))
        except UnicodeDecodeError as error:
            raise ValueError(f"{str(path)!r} is not text in UTF-8: {error}") from error
    for document in documents:
        if not document.text.strip():
            raise ValueError(f"document {document.name!r} is empty")
    return documents


def text_files(files: Sequence[str] = (), folder: str | None = None) -> list[Path]:
    """The paths of ``files``, and every ``*.txt`` and ``*.md`` below ``folder``, sorted.

    Raises:
        FileNotFoundError: for a missing folder, or one without such files.
    """
    paths = [Path(file).expanduser() for file in files]
    if folder is not None:
        root = Path(folder).expanduser()
        if not root.is_dir():
            raise FileNotFoundError(f"no folder of texts at {str(root)!r}")
        inside = sorted(path for path in root.rglob("*") if path.suffix in (".txt", ".md") and path.is_file())
        if not inside:
            raise FileNotFoundError(f"no *.txt or *.md in {str(root)!r}")
        paths.extend(inside)
    return paths


def cut(document: int, length: int, window: int, overlap: int) -> list[Window]:
    """Windows of at most ``window`` tokens over a document of ``length``, each repeating ``overlap`` tokens as context.

    Args:
        document: its number.
        length: tokens in it.
        window: most tokens of a window.
        overlap: tokens that each window repeats.

    >>> [(w.start, w.stop, w.skip) for w in cut(0, length=10, window=6, overlap=2)]
    [(0, 6, 0), (4, 10, 2)]
    >>> [(w.start, w.stop, w.skip) for w in cut(0, length=5, window=6, overlap=2)]
    [(0, 5, 0)]
    """
    windows = [Window(document, 0, min(window, length), 0)]
    while windows[-1].stop < length:
        start = windows[-1].stop - overlap
        windows.append(Window(document, start, min(start + window, length), overlap))
    return windows
