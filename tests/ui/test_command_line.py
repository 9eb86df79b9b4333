import json
import os
import socket

import pytest

from tests.ui.conftest import TRAVEL
from ui.command_line import main


@pytest.fixture
def run(capsysbinary, home):
    """Run one command in the home; return its exit code, its stdout and its stderr."""

    def command(*arguments):
        code = main([*arguments, "--home", str(home)])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return command


@pytest.fixture
def travel(tmp_path):
    path = tmp_path / "travel.md"
    path.write_text(TRAVEL, "utf-8")
    return path


@pytest.fixture
def filled(run, travel, core_folder):
    run("ingest", str(travel))
    run("cores", "import", str(core_folder))
    run("cores", "promote", "tiny")


def one_sentence(err):
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("precept: ")
    assert "Traceback" not in err
    return lines[0]


def test_ingest_reports_each_file_and_takes_the_good_ones(run, travel, tmp_path):
    empty = tmp_path / "empty.md"
    empty.touch()
    code, out, _ = run("ingest", str(travel), str(empty), str(tmp_path / "nope.md"), "--json")
    files = json.loads(out)["files"]
    assert code == 1
    assert [file["status"] for file in files] == ["added", "failed", "failed"]
    assert files[0]["chunks"] > 0
    assert all(file["error"] for file in files[1:])
    code, out, _ = run("ingest", str(travel), "--json")
    assert (code, json.loads(out)["files"][0]["status"]) == (0, "unchanged")


def test_search_returns_passages_whose_offsets_count_the_raw_bytes(run, filled):
    code, out, _ = run("search", "meals per day", "--k", "3", "--json")
    passages = json.loads(out)["passages"]
    raw = run("documents", "show", "travel.md", "--raw")[1].encode()
    assert code == 0
    assert raw == TRAVEL.encode()
    assert passages
    for passage in passages:
        assert set(passage) == {"document", "version", "start", "end", "score", "text"}
        assert raw[passage["start"] : passage["end"]].decode() == passage["text"]


def test_ask_prints_the_contracts_json_and_follows_up(run, filled):
    code, out, _ = run("ask", "How much are meals reimbursed per day?", "--json")
    answer = json.loads(out)
    assert code == 0
    assert {"answer", "refused", "citations", "working", "conversation", "core", "timings_ms"} <= set(answer)
    raw = TRAVEL.encode()
    for citation in answer["citations"]:
        assert raw[citation["start"] : citation["end"]].decode() == citation["quote"]
    code, out, _ = run("ask", "And hotels?", "--conversation", answer["conversation"], "--json")
    assert (code, json.loads(out)["conversation"]) == (0, answer["conversation"])


@pytest.mark.parametrize("question", ["", "   ", "x" * 1_000_000])
def test_a_question_that_cannot_be_asked_is_a_usage_error_in_one_sentence(run, question):
    code, out, err = run("ask", question)
    assert (code, out) == (2, "")
    assert len(one_sentence(err)) < 200


def test_a_core_can_be_imported_promoted_and_rolled_back(run, filled, core_folder):
    cores = json.loads(run("cores", "list", "--json")[1])["cores"]
    tiny = next(core for core in cores if core["name"] == "tiny")
    assert tiny["serving"] is True
    assert set(tiny) == {"name", "path", "serving", "parameters", "sha256"}
    assert run("cores", "promote", "nope")[0] == 1
    assert run("cores", "import", str(core_folder.parent / "nope"))[0] == 2


def test_people_can_be_added_and_disabled(run):
    add = ("users", "add", "bob@example.com", "--name", "Bob", "--password", "a long enough sentence")
    assert run(*add)[0] == 0
    assert run(*add)[0] == 1
    assert run("users", "disable", "bob@example.com")[0] == 0
    users = json.loads(run("users", "list", "--json")[1])["users"]
    assert [(user["email"], user["role"], user["disabled"]) for user in users] == [
        ("bob@example.com", "employee", True)
    ]
    assert run("users", "add", "eve@example.com", "--password", "short")[0] == 2


def test_removing_a_document_removes_it_from_search(run, filled):
    assert run("documents", "remove", "travel.md")[0] == 0
    assert json.loads(run("search", "meals", "--json")[1]) == {"passages": []}
    code, _, err = run("documents", "show", "travel.md")
    assert code == 1
    assert "travel.md" in one_sentence(err)


def test_a_port_in_use_is_said_in_one_sentence(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run("serve", "--port", str(port))
    assert code == 1
    assert f"port {port}" in one_sentence(err)


def test_a_home_that_cannot_be_written_is_said_in_one_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    code = main(["documents", "list", "--home", str(tmp_path / "file" / "home")])
    assert code == 2
    assert "cannot be written" in one_sentence(capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["ask"], ["search", "x", "--k", "0"], ["serve", "--port", "99999"], ["ask", "x", "--oops"]],
)
def test_a_wrong_command_line_is_a_usage_error_in_one_sentence(arguments, capsys):
    assert main(arguments) == 2
    one_sentence(capsys.readouterr().err)


def test_the_home_may_also_be_named_before_the_command(home, capsys, monkeypatch):
    monkeypatch.setitem(os.environ, "PRECEPT_HOME", "")
    assert main(["--home", str(home), "documents", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"documents": []}
    assert home.is_dir()


def test_questions_of_a_file_are_asked_and_scored(run, filled, tmp_path):
    questions = tmp_path / "questions.jsonl"
    evidence = [{"document": "travel.md", "quote": "reimbursed up to $60 per day"}]
    lookup = {"id": "1", "kind": "lookup", "turns": ["How much are meals reimbursed per day?"], "answer": "$60"}
    absent = {"id": "2", "kind": "unanswerable", "turns": ["And hotels?", "Who feeds the llama?"], "answer": ""}
    lines = [lookup | {"evidence": evidence}, absent | {"refuse": True}]
    questions.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    code, out, _ = run("evaluate", str(questions), "--json")
    report = json.loads(out)
    assert code == 0
    assert report["cases"] == report["baseline"]["cases"] == 2
    assert report["baseline"]["citation_precision"] == 0.5
    assert {"exact_match", "citation_precision", "working_holds", "refusal", "calibration"} <= set(report)
    low, high = report["intervals"]["exact_match"]
    assert low <= report["exact_match"] <= high
    assert report["cost"]["seconds_per_answer"] > 0
    code, shown, _ = run("evaluate", str(questions), "--limit", "1")
    assert code == 0
    assert "cases: 1" in shown.splitlines()
    code, _, err = run("evaluate", str(tmp_path / "nope.jsonl"))
    assert code == 2
    one_sentence(err)


def test_a_search_is_explained_without_the_core(run, travel):
    run("ingest", str(travel))
    explained = json.loads(run("search", "meals per day", "--explain", "--json")[1])["passages"]
    plain = json.loads(run("search", "meals per day", "--json")[1])["passages"]
    assert [{key: passage[key] for key in plain[0]} for passage in explained] == plain
    assert explained[0]["explained"]["ranks"]["keywords"] == 1
    assert "meals" in explained[0]["explained"]["shared"]
    _, shown, _ = run("search", "meals per day", "--explain", "--kind", "md", "--until", "2100-01-01")
    assert "keywords: rank 1, score" in shown
    assert "shared words: meals" in shown
    code, _, err = run("search", "meals per day", "--kind", "pdf")
    assert (code, err.strip()) == (0, "No passage was found.")


def test_the_past_cannot_be_narrowed_or_explained(run, travel):
    code, _, err = run("search", "meals", "--as-of", "2026-01-01", "--explain")
    assert code == 2
    assert "--as-of" in one_sentence(err)


@pytest.mark.parametrize("setting", ["PRECEPT_RERANKER_FOLDER", "PRECEPT_EMBEDDER_FOLDER"])
def test_a_model_folder_without_a_model_is_refused_in_a_sentence(run, tmp_path, monkeypatch, setting):
    monkeypatch.setenv(setting, str(tmp_path / "nothing"))
    code, _, err = run("search", "meals")
    assert code == 2
    assert str(tmp_path / "nothing") in one_sentence(err)
