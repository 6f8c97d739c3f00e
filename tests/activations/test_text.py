import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmi.activations.text import cut, read_documents


@given(length=st.integers(1, 200), window=st.integers(1, 40), data=st.data())
def test_each_token_has_exactly_one_row_and_enough_context(length, window, data):
    overlap = data.draw(st.integers(0, window - 1))
    windows = cut(3, length, window, overlap)
    rows = [position for w in windows for position in range(w.start + w.skip, w.stop)]
    assert rows == list(range(length))
    assert all(w.stop - w.start <= window and w.document == 3 for w in windows)
    assert all(w.skip == overlap for w in windows[1:])
    assert windows[0].skip == 0


def test_a_document_for_each_text_file_and_file_in_the_folder(tmp_path):
    (tmp_path / "b.txt").write_text("second", encoding="utf-8")
    (tmp_path / "a.md").write_text("first", encoding="utf-8-sig")
    (tmp_path / "data.csv").write_text("1,2", encoding="utf-8")
    documents = read_documents(["inline"], [str(tmp_path / "b.txt")], str(tmp_path))
    assert [document.text for document in documents] == ["inline", "second", "first", "second"]


def test_the_default_texts_are_several_documents():
    documents = read_documents()
    assert len(documents) >= 4
    assert all(len(document.text.split()) > 30 for document in documents)


def test_bad_texts_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing.txt"):
        read_documents(files=[str(tmp_path / "missing.txt")])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_documents(folder=str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"\*.txt"):
        read_documents(folder=str(tmp_path))
    (tmp_path / "latin.txt").write_bytes("naïve".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin.txt.*UTF-8"):
        read_documents(folder=str(tmp_path))
    with pytest.raises(ValueError, match=r"texts\[1\]"):
        read_documents(["something", " \n"])
