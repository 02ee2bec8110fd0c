"""Figures in documents are those of the measured results."""

import json

import pytest
from click.testing import CliRunner
from places import ROOT

from ncodec.errors import InputError
from ncodec.eval.figures import BLOCKS, RESULTS, main, with_figures

DOCUMENTS = [ROOT / name for name in ("README.md", "docs/results.md", "weights/README.md")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_show_the_measured_results(path: object) -> None:
    result = CliRunner().invoke(main, ["--check", str(path)])
    assert result.exit_code == 0, result.output


def test_every_block_of_figures_stands_in_a_document() -> None:
    text = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    assert all(f"<!-- figures: {name} -->" in text for name in BLOCKS)


def test_every_result_names_its_command_date_and_machine() -> None:
    found = [json.loads(path.read_text("utf-8")) for path in RESULTS.glob("*.json")]
    assert len(found) >= 5
    for result in found:
        assert all(result[key] for key in ("command", "date", "version", "machine"))


def test_an_outdated_block_is_found_and_an_unknown_one_is_a_sentence() -> None:
    block = "<!-- figures: speed -->\nfast\n<!-- end -->"
    assert with_figures(block) != block
    assert with_figures(with_figures(block)) == with_figures(block)
    with pytest.raises(InputError, match=r"expected figures among .*, got luck"):
        with_figures(block.replace("speed", "luck"))
