"""What is wrong is told with code, sentence, place and next step."""

from __future__ import annotations

import threading
from pathlib import Path

import gmpc
import numpy as np
import pytest
from conftest import rows, written

WRONG = """model levy(input: [3]) {
    wide = input -> dense(64)
    wide + input -> dense(64) -> relx -> linear(1)
}
"""


def test_a_text_that_is_right_has_no_diagnostics(tmp_path: Path) -> None:
    assert gmpc.check(written(tmp_path).read_text(), beside=tmp_path) == []


def test_a_text_that_is_wrong_has_diagnostics_with_places() -> None:
    found = gmpc.check(WRONG, name="levy.gmpnet")
    assert [one.severity for one in found] == ["error"] * len(found) and found
    (one,) = [one for one in found if "relx" in one.message]
    assert (one.file, one.line, one.column) == ("levy.gmpnet", 3, 34)
    assert one.code is not None and one.code.startswith("E03") and one.help is not None
    assert one.labels[0].line == 3 and "relx" in str(one) and one.code in repr(one)


def test_data_that_are_not_there_are_a_diagnostic(tmp_path: Path) -> None:
    text = written(tmp_path).read_text()
    (one,) = gmpc.check(text, beside=tmp_path / "elsewhere")
    assert one.severity == "error" and one.code == "E0750"


def test_a_file_that_is_wrong_raises(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_text(file.read_text().replace("relu", "relx"))
    with pytest.raises(gmpc.SourceError) as caught:
        gmpc.train(file, out=tmp_path / "run")
    error = caught.value
    assert (error.exit_code, error.file, error.line) == (1, str(file), 4)
    assert error.code == error.diagnostics[0].code and error.message in str(error)
    assert isinstance(error, gmpc.Error) and not isinstance(error, gmpc.DataError)


@pytest.mark.parametrize(
    ("asked", "kind", "words"),
    [
        ({"set": {"train.epocs": 3}}, gmpc.SourceError, "epocs"),
        ({"param": "gmq"}, gmpc.SourceError, "gmq"),
        ({"set": {"data": "uci.yacht"}, "data_dir": "/nowhere"}, gmpc.DataError, "yacht"),
        ({"set": {"train.optimizer": "sgd(lr = 1e30)"}}, gmpc.DivergedError, ""),
    ],
)
def test_each_kind_of_failure_has_its_exception(net: Path, tmp_path: Path, asked: dict, kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        gmpc.train(net, out=tmp_path / "run", **asked)
    assert words in str(caught.value) and caught.value.code is not None


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(gmpc.InputOutputError) as caught:
        gmpc.load(tmp_path)
    assert caught.value.code == "E0802" and caught.value.file == str(tmp_path) and caught.value.help


def test_rows_of_another_width_are_refused(net: Path, tmp_path: Path) -> None:
    run = gmpc.train(net, out=tmp_path / "run")
    with pytest.raises(gmpc.UsageError, match="3 features"):
        run.predict(rows()[:, :2])
    with pytest.raises(ValueError, match="rows, features"):
        run.predict(rows()[0])
    with pytest.raises(gmpc.DataError):
        run.predict(np.full((1, 3), 1e300))
    with pytest.raises(ValueError, match="no classes"):
        run.predict_class(rows())


def test_what_is_worth_telling_is_a_warning_for_the_users_line(net: Path, tmp_path: Path) -> None:
    with pytest.warns(gmpc.Note) as told:
        gmpc.train(net, out=tmp_path / "run", set={"train.batch": 1000})
    (one,) = [note for note in told if note.message.diagnostic.code == "W0787"]  # type: ignore[union-attr]
    assert one.filename == __file__


def test_a_comparison_in_which_nothing_succeeds_raises(net: Path) -> None:
    with pytest.raises(gmpc.DivergedError, match="every run failed"):
        gmpc.compare(net, set={"train.optimizer": "sgd(lr = 1e30)"})


def test_an_exception_is_raised_in_any_thread(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            gmpc.load(tmp_path)
        except gmpc.Error as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 1
