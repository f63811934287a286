// The product under test: the real binary on free ports, in a folder of its own.

import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";

const patience = 120_000; // ms until what must come is given up

// until asks again and again for what is on its way, and gives up after ms.
export async function until(what, ask, ms = patience) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

// unhurried keeps a busy machine from looking like a service that is down, which
// is tested elsewhere.
const unhurried = ["--creditcard.login-timeout", "30s"];

// start runs the binary named by CCMS and returns it once it is ready. flags are
// settings beside those that every test has.
export async function start(...flags) {
  const folder = await mkdtemp(join(tmpdir(), "ccms-browser-"));
  const product = new Product(folder, flags);
  try {
    await product.run();
  } catch (error) {
    await product.stop();
    throw error;
  }
  return product;
}

class Product {
  constructor(folder, flags) {
    this.folder = folder;
    this.data = join(folder, "data");
    this.flags = flags;
    this.said = "";
  }

  async run() {
    const binary = process.env.CCMS;
    if (!binary) throw new Error("set CCMS to the binary, or run scripts/browser");
    const addresses = ["eureka", "login", "creditcard", "portal"].flatMap((s) => [`--${s}.addr`, "127.0.0.1:0"]);
    this.process = spawn(binary, ["up", "--data", this.data, "--log.level", "debug", ...unhurried, ...addresses, ...this.flags]);
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (b) => (this.said += b));
    await until("the product to be ready", () => {
      if (this.process.exitCode !== null) throw new Error(`the product ended:\n${this.said}`);
      return /^ready/m.test(this.said);
    });
    const { portal, login, creditcard, eureka } = JSON.parse(await readFile(join(this.data, "run.json"), "utf8"));
    Object.assign(this, { portal, login, creditcard, eureka });
  }

  // mails are those to an address, as decoded texts, the oldest first.
  async mails(to) {
    const names = (await readdir(join(this.data, "mail")).catch(() => [])).filter((n) => n.endsWith(".eml")).sort();
    const texts = await Promise.all(names.map((n) => readFile(join(this.data, "mail", n), "utf8")));
    return texts.filter((t) => t.toLowerCase().includes(to.toLowerCase())).map(decode);
  }

  // link is the newest link of a path ("/verify", "/reset-password") mailed to an
  // address; count is how many such mails there must be.
  async link(to, path, count = 1) {
    const find = new RegExp(`https?://[^\\s"<]+${path}\\?token=[A-Za-z0-9_-]+`);
    return until(`a mail to ${to} with ${path}`, async () => {
      const links = (await this.mails(to)).map((t) => t.match(find)?.[0]).filter(Boolean);
      return links.length >= count && this.portal + new URL(links.at(-1)).pathname + new URL(links.at(-1)).search;
    });
  }

  // signUp makes a person by the API, confirmed unless told otherwise.
  async signUp({ confirmed = true } = {}) {
    const id = randomBytes(5).toString("hex");
    const who = { username: `jane-${id}`, email: `jane-${id}@example.com`, password: newPassword(), first: "Jane", last: "Doe" };
    const { email, password, username } = who;
    await this.post("/api/customer/signup", { username, name: { first: who.first, last: who.last }, email, password });
    if (confirmed) await expectOK(fetch(await this.api(await this.link(email, "/verify"))));
    return who;
  }

  // api is the address by which a program follows a link of a mail.
  async api(link) {
    const { search } = new URL(link);
    return `${this.portal}/api/customer/verify${search}`;
  }

  async post(path, body, token = "") {
    const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
    // Passwords are hashed a few at a time: on a busy machine the answer is to
    // come back.
    return until(`${path} to be taken`, async () => {
      const answer = await fetch(this.portal + path, { method: "POST", headers, body: JSON.stringify(body) });
      return answer.status === 503 ? undefined : expectOK(answer);
    });
  }

  // token logs a person in by the API.
  async token({ email, password }) {
    return (await this.post("/api/customer/login/subsequent", { email, password })).token;
  }

  // addCard adds a card by the API and returns it.
  async addCard(who, number, code = "123") {
    const card = { cardNumber: number, cvv: code, expiryMonth: 12, expiryYear: new Date().getUTCFullYear() + 3 };
    return this.post("/api/customer/creditcard", card, await this.token(who));
  }

  async stop() {
    if (this.process && this.process.exitCode === null) {
      this.process.kill("SIGTERM");
      await once(this.process, "exit");
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

export async function expectOK(asked) {
  const answer = await asked;
  if (!answer.ok) throw new Error(`${new URL(answer.url).pathname}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

// freePort is a port of this machine that nobody listens on.
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export const newPassword = () => `${randomBytes(9).toString("base64url")}-a1`;

// decode undoes quoted-printable in the parts of a mail that are written so.
function decode(mail) {
  return mail.replace(/^Content-Transfer-Encoding: quoted-printable\r?\n[^]*?(?=^Content-Transfer-Encoding:|(?![^]))/gim, (part) => {
    const bytes = part.replace(/=\r?\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, "latin1").toString("utf8");
  });
}
