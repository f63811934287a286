// A firm and the people who work on it in the console, and the endpoint that is
// told of its events.

import { execFile } from "node:child_process";
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { expectOK, until } from "./product.mjs";

const run = promisify(execFile);

// newOperator makes a person an operator.
export async function newOperator(product) {
  const who = await product.signUp();
  await run(process.env.CCMS, ["operator", "create", "--email", who.email, "--data", product.data]);
  return who;
}

// newDesk makes a firm with its owner: {id, owner, base}, where base is the
// address of the firm's pages in test mode.
export async function newDesk(product, operator) {
  const [owner, token] = await Promise.all([product.signUp(), product.token(operator)]);
  const { firm_id: id } = await product.post("/api/firms", { name: "Acme Shoes & Sons", owner: owner.email }, token);
  return { id, owner, base: `${product.portal}/console/firms/${id}/test` };
}

// register registers a card by a client of the firm.
export async function register(product, client, card = {}) {
  const basic = Buffer.from(`${client.id}:${client.secret}`).toString("base64");
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  const { access_token } = await expectOK(fetch(`${product.portal}/oauth2/token`, { method: "POST", headers: { Authorization: `Basic ${basic}` }, body: form }));
  const expiry_date = `12/${new Date().getUTCFullYear() + 2}`;
  return product.post("/register", { card_number: "4242424242424242", expiry_date, cvv: "123", cardholder_name: "Jane Doe", ...card }, access_token);
}

// Receiver is an endpoint of a firm. It answers with status, and keeps what it
// was sent.
export class Receiver {
  static async open() {
    const receiver = new Receiver();
    await new Promise((done) => receiver.server.listen(0, "127.0.0.1", done));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/hook`;
    return receiver;
  }

  constructor() {
    this.status = 204;
    this.got = [];
    this.server = createServer(async (req, res) => {
      let body = "";
      for await (const part of req.setEncoding("utf8")) body += part;
      this.got.push({ headers: req.headers, body });
      res.writeHead(this.status).end(this.status === 204 ? "" : "not today");
    });
  }

  // message waits for the n-th message.
  message(n) {
    return until(`message ${n}`, () => this.got[n]);
  }

  close() {
    return new Promise((done) => {
      this.server.closeAllConnections();
      this.server.close(done);
    });
  }
}

// signedBy reports whether one of a message's signatures is made with a secret
// (Standard Webhooks 1.0.0).
export function signedBy({ headers, body }, secret) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const ours = createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest();
  return headers["webhook-signature"].split(" ").some((text) => {
    const theirs = Buffer.from(text.replace(/^v1,/, ""), "base64");
    return theirs.length === ours.length && timingSafeEqual(theirs, ours);
  });
}
