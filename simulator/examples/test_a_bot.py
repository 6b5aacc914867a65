"""Tests a bot in Python with the simulator. Python 3.9 or newer is enough.

In one terminal, start the simulator. It prints `export` lines:

    cargo run -p tradovate-auth-simulator -- --port 8085

In another one, paste these lines, and run the tests:

    python3 simulator/examples/test_a_bot.py
"""

import json
import os
import time
import unittest
import urllib.error
import urllib.request

API = os.environ["TRADOVATE_API_URL"]  # ends in /v1
CONTROL = API[: -len("/v1")] + "/simulator"
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy can't reach the simulator


def send(method, url, body=None, token=None):
    """Sends a request. Returns the status, and the body as JSON or as text."""
    request = urllib.request.Request(url, method=method, headers={"Content-Type": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
    if token is not None:
        request.add_header("Authorization", "Bearer " + token)
    try:
        answer = HTTP.open(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read().decode()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


def control(command, **fields):
    """Does something to the simulator. `GET /simulator` lists the commands."""
    status, answer = send("POST", f"{CONTROL}/{command}", fields)
    assert status == 200, answer


def seen(path):
    """The requests to a path since the last reset."""
    return [entry for entry in send("GET", f"{CONTROL}/log")[1] if entry["path"] == path]


class Bot:
    """Stands for the program that you want to test."""

    def __init__(self, sleep=time.sleep):
        self.sleep = sleep
        self.token = None

    def log_in(self):
        body = {
            "name": os.environ["TRADOVATE_USERNAME"],
            "password": os.environ["TRADOVATE_PASSWORD"],
            "appId": os.environ["TRADOVATE_APP_ID"],
            "appVersion": os.environ["TRADOVATE_APP_VERSION"],
            "cid": int(os.environ["TRADOVATE_CID"]),
            "sec": os.environ["TRADOVATE_SEC"],
            "deviceId": os.environ["TRADOVATE_DEVICE_ID"],
        }
        status, answer = send("POST", f"{API}/auth/accesstokenrequest", body)
        if status == 200 and "p-ticket" in answer and not answer.get("p-captcha"):
            self.sleep(answer["p-time"])
            body["p-ticket"] = answer["p-ticket"]
            status, answer = send("POST", f"{API}/auth/accesstokenrequest", body)
        if status != 200 or "accessToken" not in answer:
            raise RuntimeError(f"the login failed with {status}")
        self.token = answer["accessToken"]

    def accounts(self):
        if self.token is None:
            self.log_in()
        status, answer = send("GET", f"{API}/account/list", token=self.token)
        if status == 401 and answer in ("Expired Access Token", "Invalid access token"):
            self.log_in()
            status, answer = send("GET", f"{API}/account/list", token=self.token)
        if status != 200:
            raise RuntimeError(f"the call failed with {status}")
        return [account["name"] for account in answer]


class BotTest(unittest.TestCase):
    def setUp(self):
        control("reset")

    def test_it_logs_in_once(self):
        bot = Bot()
        self.assertEqual([bot.accounts(), bot.accounts()], [["SIM00001"], ["SIM00001"]])
        [login] = seen("/v1/auth/accesstokenrequest")
        self.assertEqual((login["fields"]["cid"], login["fields"]["password"]), ("8", "[redacted]"))

    def test_it_waits_as_long_as_a_penalty_says(self):
        waits = []

        def sleep(seconds):
            waits.append(seconds)
            control("advance", seconds=seconds)  # nobody has to wait

        control("penalize", seconds=19)
        self.assertEqual(Bot(sleep).accounts(), ["SIM00001"])
        self.assertEqual(waits, [19])

    def test_it_logs_in_again_after_its_token_has_expired(self):
        bot = Bot()
        bot.accounts()
        control("advance", seconds=80 * 60)
        self.assertEqual(bot.accounts(), ["SIM00001"])

    def test_it_sends_nothing_more_when_it_is_locked_out(self):
        bot = Bot()
        bot.accounts()
        control("lock-out")
        with self.assertRaisesRegex(RuntimeError, "429"):
            bot.accounts()
        self.assertEqual(len(seen("/v1/account/list")), 2)


if __name__ == "__main__":
    unittest.main()
