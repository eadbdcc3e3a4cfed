import bz2
import gzip
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from lumos_rl.envs.qa.tools.corpus import Corpus, main, open_corpus
from lumos_rl.envs.qa.tools.knowledge import KnowledgeQuery, Source
from lumos_rl.errors import DataError, InfrastructureError, MissingFileError

DOCUMENTS = [
    {"title": "Ed Wood", "text": "Ed Wood was an American filmmaker. He was born in 1924."},
    {"title": "Ed Wood", "text": "He directed Glen or Glenda."},
    {"title": "Mercury (planet)", "text": ["Mercury is a planet.", "It is small."]},
    {"title": "Mercury (element)", "text": "Mercury is a metal."},
    {"title": "Zoë Kruså", "text": "A Danish painter – 𝟐."},
    {"title": "Empty", "text": ""},
]


def write(path, documents=DOCUMENTS):
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "documents.jsonl")


def titles(pieces):
    return [piece.title for piece in pieces]


def test_documents_are_found_by_title_in_the_order_of_the_file(source):
    corpus = Corpus(source)
    assert isinstance(corpus, Source)
    assert corpus.size == 6
    assert [piece.sentences[0] for piece in corpus.lookup("ed wood").pieces] == [
        "Ed Wood was an American filmmaker.",
        "He directed Glen or Glenda.",
    ]
    assert corpus.lookup("zoe krusa").pieces[0].text == "A Danish painter – 𝟐."
    assert corpus.lookup("Mercury (planet)").pieces[0].sentences == ("Mercury is a planet.", "It is small.")
    assert corpus.lookup("Mercury").choices == ("Mercury (planet)", "Mercury (element)")
    assert corpus.lookup("Oslo").pieces == corpus.lookup("").pieces == ()
    assert corpus.lookup("Empty").pieces[0].sentences == ()


def test_documents_are_found_by_their_words(source):
    corpus = Corpus(source)
    assert titles(corpus.search("Danish painters", 5)) == ["Zoë Kruså"]
    assert titles(corpus.search("Who directed Glen or Glenda?", 1)) == ["Ed Wood"]
    assert corpus.search("xylophone", 5) == corpus.search("", 5) == corpus.search("the of", 5) == []
    assert corpus.search("\ud800", 5) == []
    assert KnowledgeQuery(corpus)("a metal", {}).text == "[Mercury (element)] Mercury is a metal."


def test_an_index_is_made_once_and_again_when_its_file_changes(source):
    manifest = Corpus(source).folder / "index.json"
    made = manifest.stat().st_mtime_ns
    assert Corpus(source).size == 6
    assert manifest.stat().st_mtime_ns == made
    write(source, DOCUMENTS[:2])
    assert Corpus(source).size == 2


def test_a_folder_holds_files_of_several_kinds(tmp_path):
    (tmp_path / "AA").mkdir()
    write(tmp_path / "b.jsonl", DOCUMENTS[:1])
    dump = [{"id": "7", "url": "…", "title": "Oslo", "text": ["Oslo is a city.", " It is in Norway."]}]
    (tmp_path / "AA" / "wiki_00.bz2").write_bytes(bz2.compress("".join(map(json.dumps, dump)).encode()))
    corpus = open_corpus(tmp_path)
    assert corpus.size == 2
    assert corpus.lookup("Oslo").pieces[0].text == "Oslo is a city. It is in Norway."
    assert corpus.folder == tmp_path / ".lumos_index"


def test_a_folder_may_hold_a_document_in_each_file(tmp_path, caplog):
    for number, document in enumerate(DOCUMENTS[2:4]):
        (tmp_path / f"{number}.json").write_text(json.dumps(document, indent=1))
    (tmp_path / "list.json").write_text(json.dumps(DOCUMENTS[:2]))
    write(tmp_path / "lines.json", DOCUMENTS[4:])
    assert open_corpus(tmp_path).size == 6
    (tmp_path / "list.json").write_text(json.dumps([DOCUMENTS[0], {"text": "A"}]))
    assert open_corpus(tmp_path).size == 5
    assert (
        "1 lines are no documents and are left out: list.json, document 2: field 'title': expected text" in caplog.text
    )
    write(tmp_path / "lines.jsonl", DOCUMENTS[:1])
    assert open_corpus(tmp_path).size == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"title": "A", "tex', "documents.jsonl:2: expected one JSON object, got"),
        (b"[1]", "documents.jsonl:2: expected an object with title and text"),
        (b'{"text": "A"}', "documents.jsonl:2: field 'title': expected text, got None"),
        (b'{"title": " ", "text": "A"}', "documents.jsonl:2: field 'title': expected text, got ' '"),
        (b'{"title": "A", "text": 5}', "documents.jsonl:2: field 'text': expected text or a list of sentences, got 5"),
        (b'{"title": "A", "text": "\xff"}', "documents.jsonl:2: expected one JSON object"),
    ],
)
def test_a_broken_line_is_left_out_with_a_warning_whenever_the_documents_are_opened(tmp_path, caplog, line, said):
    source = tmp_path / "documents.jsonl"
    source.write_bytes(b'{"title": "A", "text": "b"}\n' + line + b"\n")
    for _ in range(2):
        assert Corpus(source).size == 1
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 2 and told[0] == told[1] and said in told[0]
    assert told[0].startswith(f"{source}: 1 lines are no documents and are left out: ")


def test_documents_of_which_none_can_be_read_are_a_load_error(tmp_path):
    source = tmp_path / "documents.jsonl"
    source.write_bytes(b"[1]\n{\n")
    with pytest.raises(DataError, match=r"none that can be read: documents\.jsonl:1: expected an object.* and 1 more"):
        Corpus(source)
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.index"))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.bz2"])
@pytest.mark.parametrize("spoil", [lambda whole: whole[:-9], lambda whole: b"no archive"])
def test_a_compressed_file_that_is_not_whole_is_a_load_error_with_file_and_line(tmp_path, name, spoil):
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}[name[7:]]
    (tmp_path / name).write_bytes(spoil(pack(json.dumps(DOCUMENTS[0]).encode())))
    with pytest.raises(DataError, match=rf"{name}:\d: expected another line or the end"):
        Corpus(tmp_path / name)


def test_a_damaged_index_is_a_failure_of_the_infrastructure(source):
    (Corpus(source).folder / "documents.bin").unlink()
    with pytest.raises(InfrastructureError, match=r"expected a whole index in .*; delete it"):
        Corpus(source)


def test_no_documents_are_a_load_error(tmp_path):
    with pytest.raises(MissingFileError, match=r"expected \*\.jsonl or"):
        Corpus(tmp_path)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match=r"expected documents in empty\.jsonl, got none"):
        Corpus(tmp_path / "empty.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_place_that_cannot_be_written_to_is_a_failure_of_the_infrastructure(source):
    source.parent.chmod(0o500)
    with pytest.raises(InfrastructureError, match="expected to write an index at"):
        Corpus(source)


def test_a_copy_maps_the_same_files(source):
    corpus = open_corpus(source)
    assert pickle.loads(pickle.dumps(corpus)) is corpus


def test_documents_that_changed_are_opened_anew(tmp_path, monkeypatch):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        assert open_corpus(write(Path("documents.jsonl"), DOCUMENTS[:number])).size == number
    write(Path("documents.jsonl"), DOCUMENTS[:3])
    assert open_corpus(Path("documents.jsonl")).size == 3


SEARCH = """
import sys
from pathlib import Path

from lumos_rl.envs.qa.tools.corpus import Corpus

print([piece.title for piece in Corpus(Path(sys.argv[1])).search("American filmmaker", 1)])
"""


def test_processes_that_start_together_make_one_index(source):
    command = [sys.executable, "-c", SEARCH, str(source)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [process.communicate()[0] for process in started] == ["['Ed Wood']\n"] * 6
    assert sorted(path.name for path in source.parent.iterdir()) == [
        "documents.jsonl",
        "documents.jsonl.index",
        "documents.jsonl.index.lock",
    ]


def test_the_command_makes_an_index(source, capsys):
    assert main([str(source)]) == 0
    assert "6 documents" in capsys.readouterr().out
    assert main([str(source) + "x"]) == main([]) == 2
    assert "expected" in capsys.readouterr().err


def test_looking_up_needs_no_more_than_numpy_when_imported():
    code = "import sys, lumos_rl.envs.qa.tools.corpus; print('bm25s' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
