// Registers an endpoint at a running product, has events sent to it, and checks
// each with the published library; a forged one must be refused.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { Webhook } = require("standardwebhooks");

const read = (name) => JSON.parse(fs.readFileSync(path.join(process.env.DATA, name)));
const urls = read("run.json");
const firm = read("demo-firm.json");

let token;
async function ask(method, at, body) {
  const res = await fetch(urls.portal + at, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const answer = await res.json();
  assert.ok(res.ok, `${method} ${at}: ${res.status} ${JSON.stringify(answer)}`);
  return answer;
}

// receive starts a server that hands every message to whoever waits for it.
async function receive() {
  const got = [], waiting = [];
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    res.writeHead(204).end();
    const message = { headers: req.headers, body: Buffer.concat(chunks).toString() };
    waiting.length ? waiting.shift()(message) : got.push(message);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const next = () => (got.length ? Promise.resolve(got.shift()) : new Promise((done) => waiting.push(done)));
  return { server, next, url: `http://127.0.0.1:${server.address().port}/hook` };
}

async function main() {
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: firm.client_id, client_secret: firm.client_secret });
  const granted = await fetch(urls.portal + "/oauth2/token", { method: "POST", body: form });
  token = (await granted.json()).access_token;

  const { server, next, url } = await receive();
  const hook = await ask("POST", "/v1/webhooks", { url });
  await ask("POST", "/register", { card_number: "4111111111111111", expiry_date: "12/40", cvv: "123", cardholder_name: "Ann Example" });
  let message = await next();
  const event = new Webhook(hook.secret).verify(message.body, message.headers);
  assert.equal(event.type, "registration.verified");
  assert.equal(event.data.last4, "1111");

  const { secret } = await ask("POST", `/v1/webhooks/${hook.id}/rotate`, { expires_in: 60 });
  await ask("POST", `/v1/webhooks/${hook.id}/test`);
  message = await next();
  for (const key of [hook.secret, secret]) {
    assert.equal(new Webhook(key).verify(message.body, message.headers).type, "webhook.test");
  }
  assert.throws(() => new Webhook(secret).verify(message.body + " ", message.headers));
  assert.throws(() => new Webhook(secret).verify(message.body, { ...message.headers, "webhook-id": "evt_other" }));
  server.close();
  server.closeAllConnections();
  console.log("standardwebhooks: signatures by one key and by two are right");
}

main().catch((failure) => {
  console.error(failure);
  process.exitCode = 1;
});
