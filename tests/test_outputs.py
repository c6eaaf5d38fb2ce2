"""A report written to a file: the suffix tells the form."""

from pathlib import Path

import pytest

from pbxmonitor.charts import Chart, Funnel, Step
from pbxmonitor.columns import Column, Table
from pbxmonitor.outputs import write

TABLE = Table(title="T", empty="", columns=(Column(key="it", heading="It"),), rows=({"it": "x"},))
CHART: Chart = Funnel(title="F", steps=(Step(name="ivr", count=3),))


@pytest.mark.parametrize(
    ("name", "begins"),
    [("it.csv", "\ufeffIt\r\nx\r\n".encode()), ("it.XLSX", b"PK"), ("it.png", b"\x89PNG"), ("it.pdf", b"%PDF")],
)
def test_the_suffix_tells_the_form(tmp_path: Path, name: str, begins: bytes) -> None:
    write([TABLE], [CHART], tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("tables", "charts", "name", "said"),
    [
        (
            [TABLE],
            [CHART],
            "it.txt",
            r"cannot tell the form of it.txt: give a file that ends in .csv, .xlsx, .png or .pdf",
        ),
        ([TABLE], [CHART], "it", r"cannot tell the form of it: "),
        (
            [TABLE, TABLE],
            [],
            "it.csv",
            r"it.csv can hold one table and the report has 2: give a file that ends in .xlsx",
        ),
        ([TABLE], [], "it.png", r"this report has no chart for it.png: "),
        ([], [CHART], "it.xlsx", r"this report has no table for it.xlsx: "),
        ([], [CHART], "it.csv", r"this report has no table for it.csv: "),
    ],
)
def test_what_cannot_be_written_is_one_line_and_no_file(
    tmp_path: Path, tables: list[Table], charts: list[Chart], name: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        write(tables, charts, tmp_path / name)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["it.csv", "it.xlsx", "it.png", "it.pdf"])
def test_a_folder_that_is_not_there_is_an_error_with_the_files_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "none" / name
    with pytest.raises(FileNotFoundError) as caught:
        write([TABLE], [CHART], path)
    assert caught.value.filename == str(path)
