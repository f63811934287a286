"""Takes what speaks Elasticsearch's bulk form, and keeps the documents as a data
stream does, each id once: receiver.py FILE PASSWORD [busy]. Prints its port. The
first bulk request loses its connection, of the second all is kept and the answer
lost, and where it is busy one document of the third is refused with 429. FILE
gets the documents, FILE.said a word for each thing of this kind that happened."""

import base64
import gzip
import http.server
import json
import sys
import threading

VERSION = "9.5.0"  # a shipper refuses a cluster that is older than itself
out = open(sys.argv[1], "w", buffering=1)
said = open(sys.argv[1] + ".said", "w", buffering=1)
owner = "Basic " + base64.b64encode(b"ccms:" + sys.argv[2].encode()).decode()
busy = "busy" in sys.argv[3:]
lock = threading.Lock()
known = set()
asked = 0


def keep(meta, document):
    """The status of one document."""
    global busy
    if meta.keys() != {"_index", "_id"} or meta["_index"] != "logs-ccms-default" or not meta["_id"]:
        return 400
    if asked == 3 and busy:
        busy = False
        said.write("busy\n")
        return 429
    if meta["_id"] in known:
        said.write("again\n")
        return 409
    known.add(meta["_id"])
    out.write(json.dumps(json.loads(document), sort_keys=True) + "\n")
    return 201


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        license = {"status": "active", "type": "basic", "mode": "basic", "uid": "none"}
        version = {"number": VERSION, "build_flavor": "default", "lucene_version": "10"}
        self.answer(200, {"license": license} if self.path.startswith("/_license") else {"version": version})

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != owner:
            return self.answer(401, {"error": "who are you?"})
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        with lock:
            self.bulk([line for line in body.decode().split("\n") if line])

    def bulk(self, lines):
        global asked
        asked += 1
        if asked == 1:
            said.write("broken\n")
            return self.break_off()
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            meta = json.loads(action)["create"]
            item = {**meta, "status": keep(meta, document)}
            if item["status"] >= 300:
                item["error"] = {"type": "not_kept", "reason": "see status"}
            items.append({"create": item})
        if asked == 2:
            said.write("lost\n")
            return self.break_off()
        errors = any("error" in i["create"] for i in items)
        self.answer(200, {"took": 1, "errors": errors, "items": items})

    def break_off(self):
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
