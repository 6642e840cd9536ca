"""Which answers of a peer are worth another try, and which go straight to the dead letters."""

import httpx
import pytest
from nexus_kit.errors import UpstreamFailed
from nexus_worker.failures import Permanent, require_success

CALL = httpx.Request("POST", "http://listings/internal/events")


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500])
def test_what_may_pass_is_tried_again_such_as_a_secret_that_is_being_rotated(status: int) -> None:
    with pytest.raises(UpstreamFailed):
        require_success(httpx.Response(status, request=CALL), "listings")


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_of_what_was_said_is_final(status: int) -> None:
    with pytest.raises(Permanent):
        require_success(httpx.Response(status, request=CALL), "listings")
