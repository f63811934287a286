"""Spring Boot Admin at argv[1] shows our services UP, with health and metrics."""

import json
import sys
import time
import urllib.request

ADMIN = sys.argv[1]
WANTED = {"LOGIN-SERVICE", "CREDITCARD-SERVICE", "PORTAL"}


def get(path):
    request = urllib.request.Request(ADMIN + path, headers={"Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def look():
    applications = {a["name"]: a for a in get("/applications")}
    missing = WANTED - {name for name, a in applications.items() if a["status"] == "UP"}
    if missing:
        return f"not UP: {sorted(missing)} of {[(n, a['status']) for n, a in applications.items()]}"
    for name in sorted(WANTED):
        instance = applications[name]["instances"][0]
        endpoints = {e["id"] for e in instance["endpoints"]}
        if not {"health", "metrics", "info"} <= endpoints:
            return f"{name} has only {sorted(endpoints)}"
        through = f"/instances/{instance['id']}/actuator/"
        if get(through + "health")["status"] != "UP":
            return f"{name}: health"
        names = get(through + "metrics")["names"]
        for metric in ("process.uptime", "http.server.requests"):
            if metric not in names or not get(through + "metrics/" + metric)["measurements"]:
                return f"{name}: {metric} is not among {names}"
    return ""


deadline = time.monotonic() + 120
trouble = "no answer"
while trouble and time.monotonic() < deadline:
    try:
        trouble = look()
    except OSError as e:
        trouble = str(e)
    if trouble:
        time.sleep(0.5)
if trouble:
    sys.exit("eureka-admin: " + trouble)
print("eureka-admin: our services are UP, with health and metrics")
