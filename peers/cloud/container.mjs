// Makes a container in a running Azurite: container.mjs PORT NAME KEY. The
// account is the emulator's own.
import { createHmac } from "node:crypto";

const [port, name, key] = process.argv.slice(2);
const account = "devstoreaccount1";
const date = new Date().toUTCString();
const text = ["PUT", "", "", "", "", "", "", "", "", "", "", "", `x-ms-date:${date}`, "x-ms-version:2021-12-02",
  `/${account}/${account}/${name}`, "restype:container"].join("\n");
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
const answer = await fetch(`http://127.0.0.1:${port}/${account}/${name}?restype=container`, {
  method: "PUT",
  headers: { "x-ms-date": date, "x-ms-version": "2021-12-02", Authorization: `SharedKey ${account}:${signature}` },
});
if (answer.status !== 201) {
  console.error(`container: ${answer.status} ${await answer.text()}`);
  process.exit(1);
}
