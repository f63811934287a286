"""Takes what speaks Elasticsearch's bulk form, and writes the documents down:
receiver.py FILE. Prints its port. The first requests lose their connection."""

import http.server
import json
import sys

out = open(sys.argv[1], "w", buffering=1)
asked = 0


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(200, {})

    do_HEAD = do_GET

    def do_POST(self):
        global asked
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked += 1
        if asked <= 2:
            self.close_connection = True
            return self.connection.close()
        lines = body.strip("\n").split("\n")
        items = []
        for action, document in zip(lines[::2], lines[1::2]):
            meta = json.loads(action)["create"]
            if meta.keys() != {"_index", "_id"} or meta["_index"] != "logs-ccms-default" or not meta["_id"]:
                return self.answer(400, {"error": f"not for us: {meta}"})
            out.write(json.dumps(json.loads(document), sort_keys=True) + "\n")
            items.append({"create": {**meta, "status": 201}})
        self.answer(200, {"took": 1, "errors": False, "items": items})

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
