// A firm that uses the hosted form, and pages of others around it.

import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { promisify } from "node:util";

const run = promisify(execFile);

// newFirm makes a firm with a test client by the command line. scopes are the
// client's, by default those that clients have.
export async function newFirm(product, { origins = [], returns = [], scopes = [] }) {
  const ccms = async (...args) => JSON.parse((await run(process.env.CCMS, [...args, "--data", product.data, "-o", "json"])).stdout);
  const made = await ccms("firm", "create", "--name", "Acme Shoes");
  const lists = [...origins.flatMap((o) => ["--origin", o]), ...returns.flatMap((u) => ["--return-url", u]), ...scopes.flatMap((s) => ["--scope", s])];
  const client = await ccms("client", "create", "--firm", made.firm_id, ...lists);
  return new Firm(product, { id: made.firm_id, ...client });
}

class Firm {
  constructor(product, { id, client_id, client_secret }) {
    Object.assign(this, { product, id, client_id, client_secret });
  }

  async call(method, path, body) {
    const basic = Buffer.from(`${this.client_id}:${this.client_secret}`).toString("base64");
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    const token = await answer(fetch(`${this.product.portal}/oauth2/token`, { method: "POST", headers: { Authorization: `Basic ${basic}` }, body: form }));
    const headers = { Authorization: `Bearer ${token.access_token}`, "Content-Type": "application/json" };
    return answer(fetch(this.product.portal + path, { method, headers, body: body && JSON.stringify(body) }));
  }

  // link makes a one-time link: {id, url, expires_at}.
  link(body) {
    return this.call("POST", "/v1/links", body);
  }

  status(id) {
    return this.call("GET", `/status/${id}`);
  }

  // revoke ends the client, so that what it made is withdrawn.
  async revoke() {
    await run(process.env.CCMS, ["client", "revoke", this.client_id, "--data", this.product.data]);
  }
}

async function answer(asked) {
  const got = await asked;
  if (!got.ok) throw new Error(`${new URL(got.url).pathname}: ${got.status} ${await got.text()}`);
  return got.json();
}

// Site serves pages of somebody else, on an origin of its own: it is reached by
// number where the product is reached by name, so that browsers see two sites.
export class Site {
  static async open() {
    const site = new Site();
    await new Promise((done) => site.server.listen(0, "127.0.0.1", done));
    site.origin = `http://127.0.0.1:${site.server.address().port}`;
    return site;
  }

  constructor() {
    this.pages = new Map();
    this.server = createServer((req, res) => {
      const found = this.pages.get(req.url.split("?")[0]);
      res.writeHead(found ? 200 : 404, { "Content-Type": "text/html; charset=utf-8", ...found?.headers });
      res.end(found?.body ?? "");
    });
  }

  // page puts a page at a path and returns its URL.
  page(path, body, headers = {}) {
    this.pages.set(path, { body, headers });
    return this.origin + path;
  }

  // embedding is a page under a strict policy with the loader, a place for each
  // of ids, and a script of its own.
  embedding(path, { loader, ids = ["card"], script, more = "" }) {
    this.page(`${path}.js`, script, { "Content-Type": "text/javascript" });
    const { origin } = new URL(loader);
    const policy = `default-src 'none'; script-src 'self' ${origin}; frame-src 'self' ${origin}; style-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
    const places = ids.map((id) => `<div id="${id}"></div>`).join("\n");
    const body = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Shop</title>
<script src="${loader}" crossorigin defer></script><script src="${path}.js" defer></script></head>
<body><main><h1>Shop</h1>${more}${places}<button id="after">After</button></main></body></html>`;
    return this.page(path, body, { "Content-Security-Policy": policy });
  }

  close() {
    return new Promise((done) => {
      this.server.closeAllConnections();
      this.server.close(done);
    });
  }
}
