"""Vendors' categories as ours."""

import json
import os
import re
from pathlib import Path

import pytest

from orchestrator.domain import TransactionCategory
from orchestrator.providers.categories import (
    BELVO_CATEGORIES,
    FINICITY_CATEGORIES,
    MX_CATEGORIES,
    PLAID_CATEGORIES,
    category_among,
)

ALL = {
    "belvo": BELVO_CATEGORIES,
    "finicity": FINICITY_CATEGORIES,
    "mx": MX_CATEGORIES,
    "plaid": PLAID_CATEGORIES,
}


def specified(name: str, schema: str) -> str:
    """A schema of a vendor's document as text; skips where the documents are not at hand."""
    folder = os.environ.get("PROVIDER_SPECS_DIR")
    if not folder:
        pytest.skip("PROVIDER_SPECS_DIR is not set: the vendors' OpenAPI documents are not at hand")
    document = json.loads((Path(folder) / f"{name}.trimmed.json").read_text("utf-8"))
    return json.dumps(document["components"]["schemas"][schema])


def test_the_narrowest_known_label_decides() -> None:
    """A withdrawal is cash although its wider category is a transfer."""
    found = category_among(PLAID_CATEGORIES, "TRANSFER_OUT_WITHDRAWAL", "TRANSFER_OUT")

    assert TransactionCategory.CASH is found
    assert TransactionCategory.TRANSFER is category_among(
        PLAID_CATEGORIES, "TRANSFER_OUT_SAVINGS", "TRANSFER_OUT"
    )


@pytest.mark.parametrize("table", ALL.values(), ids=ALL)
def test_what_is_told_and_not_known_is_other(table: dict[str, TransactionCategory]) -> None:
    """A new label is no reason to fail, and nothing told is nothing known."""
    assert TransactionCategory.OTHER is category_among(table, None, "Space Tourism")
    assert category_among(table, None, None) is None


@pytest.mark.parametrize("table", ALL.values(), ids=ALL)
def test_no_taxonomy_lacks_the_common_ones(table: dict[str, TransactionCategory]) -> None:
    """Each vendor can tell of every category of ours."""
    assert set(TransactionCategory) == set(table.values())


def test_belvos_documented_categories_are_known() -> None:
    """Every category of Belvo's document has a place here."""
    named = json.loads(specified("belvo", "EnumTransactionCategory"))["enum"]

    assert [] == [label for label in named if label is not None and label not in BELVO_CATEGORIES]


def test_finicitys_documented_categories_are_known() -> None:
    """Every category of Finicity's document has a place here."""
    named = re.findall(r'\* \\"([^\\]+)\\"', specified("finicity", "Categories"))

    assert len(named) > 100
    assert set(named) == set(FINICITY_CATEGORIES)
