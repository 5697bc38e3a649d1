"""Other pages cannot use the live view, by their own name or from their own origin."""

import pytest
from fastapi.testclient import TestClient

from action_units.live.server import create_app
from tests.live.conftest import jpeg


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "",
        "127.0.0.1.nip.io",
        "[::1",
        "a b",
    ],
)
def test_a_name_that_was_pointed_here_is_refused(client: TestClient, host: str):
    for path in ("/", "/api/classifier"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 403
        assert "not this page's" in answer.json()["error"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "192.168.1.7:8000"]
)
def test_addresses_and_this_computer_are_served(client: TestClient, host: str):
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_the_name_that_was_asked_for_is_served(classifier):
    with TestClient(create_app(classifier, host="lab-7"), base_url="http://lab-7:80") as client:
        assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_posts_of_other_pages_are_refused_before_they_are_read(client, headers, two_people):
    for path in ("/api/look", "/api/webcam"):
        answer = client.post(path, content=jpeg(two_people[0]), headers=headers)
        assert answer.status_code == 403
        assert "only its own page" in answer.json()["error"]


def test_the_page_itself_may_post(client: TestClient):
    headers = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/webcam", headers=headers).status_code == 200


def test_a_link_from_elsewhere_leads_to_the_page_and_no_further(client: TestClient):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=headers).status_code == 200
    for path in ("/page.js", "/api/classifier"):
        assert client.get(path, headers=headers).status_code == 403


def test_every_answer_forbids_what_the_page_does_not_need(client: TestClient):
    answers = [
        client.get("/"),
        client.get("/page.js"),
        client.get("/nothing"),
        client.get("/", headers={"Host": "evil.example"}),
        client.post("/api/look", content=b""),
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 404
