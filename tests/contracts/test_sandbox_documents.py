"""The judge of what the sandbox answers; what it says of each vendor is in files of their own."""

from tests.support.openapi_documents import document


def test_judge_finds_what_is_wrong() -> None:
    """The judge itself objects to missing, mistyped and invented fields."""
    plaid = document("plaid")
    good = {"access_token": "a", "item_id": "i", "request_id": "r"}
    path = "/item/public_token/exchange"

    assert [] == plaid.problems("POST", path, 200, good)
    for bad in ({**good, "item_id": 5}, {"item_id": "i", "request_id": "r"}):
        assert plaid.problems("POST", path, 200, bad)
    mx = document("mx.v20250224")
    assert [] == mx.problems("GET", "/institutions/{institution_code}", 200, {"institution": {}})
    assert mx.problems("GET", "/institutions/{institution_code}", 200, {"institution": {"x": 1}})
