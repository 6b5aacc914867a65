// Tests a bot in JavaScript with the simulator. Node 22 or newer is enough.
//
// In one terminal, start the simulator. It prints `export` lines:
//
//     cargo run -p tradovate-auth-simulator -- --port 8085
//
// In another one, paste these lines, and run the tests:
//
//     node --test simulator/examples/test_a_bot.mjs

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const API = process.env.TRADOVATE_API_URL; // ends in /v1
const CONTROL = API.replace(/\/v1$/, "/simulator");
const SOCKET = API.replace(/^http/, "ws") + "/websocket";

/** Does something to the simulator. `GET /simulator` lists the commands. */
async function control(command, fields = {}) {
  const answer = await fetch(`${CONTROL}/${command}`, { method: "POST", body: JSON.stringify(fields) });
  assert.equal(answer.status, 200, await answer.text());
}

/** The requests to a path since the last reset; on sockets, the calls of this name. */
async function seen(path) {
  const log = await (await fetch(`${CONTROL}/log`)).json();
  return log.filter((entry) => entry.path === path);
}

/** Stands for the program that you want to test. */
class Bot {
  async logIn() {
    const answer = await fetch(`${API}/auth/accesstokenrequest`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        name: process.env.TRADOVATE_USERNAME,
        password: process.env.TRADOVATE_PASSWORD,
        appId: process.env.TRADOVATE_APP_ID,
        appVersion: process.env.TRADOVATE_APP_VERSION,
        cid: Number(process.env.TRADOVATE_CID),
        sec: process.env.TRADOVATE_SEC,
        deviceId: process.env.TRADOVATE_DEVICE_ID,
      }),
    });
    const { accessToken, mdAccessToken } = await answer.json();
    if (!accessToken) throw new Error(`the login failed with ${answer.status}`);
    Object.assign(this, { accessToken, mdAccessToken });
  }

  async renew() {
    const headers = { Authorization: `Bearer ${this.accessToken}` };
    const answer = await fetch(`${API}/auth/renewaccesstoken`, { headers });
    if (!answer.ok) throw new Error(`the renewal failed with ${answer.status}`);
    const { accessToken, mdAccessToken = this.mdAccessToken } = await answer.json();
    Object.assign(this, { accessToken, mdAccessToken });
  }

  /** Connects a socket and resolves with the answer to `authorize`; `onClose` is called with the frame of the end. */
  connect(token, onClose = () => {}) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(SOCKET);
      const heartbeat = setInterval(() => socket.send("[]"), 2000);
      socket.onerror = () => reject(new Error("the socket can't be connected"));
      socket.onclose = () => clearInterval(heartbeat);
      socket.onmessage = ({ data }) => {
        if (data === "o") socket.send(`authorize\n1\n\n${token}`);
        if (data.startsWith("a")) resolve({ socket, ...JSON.parse(data.slice(1))[0] });
        if (data.startsWith("c")) onClose(data);
      };
    });
  }
}

beforeEach(() => control("reset"));

test("it keeps the market data token that a renewal does not repeat", async () => {
  const bot = new Bot();
  await bot.logIn();
  assert.match(bot.mdAccessToken, /^md_/);
  await control("fault", { endpoint: "renewaccesstoken", status: 200, body: '{"accessToken":"new"}' });
  await bot.renew();
  assert.match(bot.mdAccessToken, /^md_/);
});

test("it gets its market data token from a renewal if the login has none", async () => {
  await control("options", { marketDataOnRenewalOnly: true });
  const bot = new Bot();
  await bot.logIn();
  assert.equal(bot.mdAccessToken, undefined);
  await bot.renew();
  assert.match(bot.mdAccessToken, /^md_/);
});

test("it sends no secret that the log would show", async () => {
  await new Bot().logIn();
  const [login] = await seen("/v1/auth/accesstokenrequest");
  assert.equal(login.fields.password, "[redacted]");
  assert.equal(login.fields.appId, process.env.TRADOVATE_APP_ID);
});

const without = typeof WebSocket === "function" ? false : "this version of Node has no WebSocket";

test("it authorizes a socket and hears of a kick", { skip: without }, async () => {
  const bot = new Bot();
  await bot.logIn();
  let closed;
  const end = new Promise((resolve) => (closed = resolve));
  assert.equal((await bot.connect(bot.accessToken, closed)).s, 200);
  await control("kick", { all: true });
  assert.equal(await end, 'c[3000,"Session closed"]');
  const refused = await bot.connect(bot.accessToken);
  assert.deepEqual([refused.s, refused.d], [401, "Invalid access token"]);
  refused.socket.close();
  assert.equal((await seen("authorize")).length, 2);
});
