"""What people do to a `ccms up` on this machine: people.py DAY SECONDS RUN.JSON DEMO-FIRM.JSON

DAY is quiet (signing up, looking at pages), attack (guessing passwords, addresses
and codes), flood (more logins than can be hashed, and addresses) or busy (signing up
and registrations of a firm, which all write). It prints what was answered.
Everything goes to loopback, in a bounded number of requests.
"""
import collections, http.client, json, secrets, sys, threading, time, urllib.parse

day, seconds = sys.argv[1], float(sys.argv[2])
run, firm = (json.load(open(name)) for name in sys.argv[3:5])
end = time.monotonic() + seconds
answers, lock = collections.Counter(), threading.Lock()


def send(service, method, path, body=None, **headers):
    """One request, and what was answered; 0 for no answer."""
    at = urllib.parse.urlsplit(run[service])
    assert at.hostname in ("localhost", "127.0.0.1")
    kind = "application/json"
    if isinstance(body, dict) and path.startswith("/oauth2/"):
        kind, body = "application/x-www-form-urlencoded", urllib.parse.urlencode(body)
    elif body is not None:
        body = json.dumps(body)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": kind, **headers})
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
    except OSError:
        status, text = 0, b""
    finally:
        connection.close()
    with lock:
        answers[f"{path.split('?')[0]} {status}"] += 1
    return status, text


def password():
    return "Pw1-" + secrets.token_hex(8)


def again(do, pause, most, threads=1):
    """Has threads call do until the time is up, each at most so often."""
    def work():
        for i in range(most):
            if time.monotonic() > end:
                return
            do(i)
            time.sleep(pause)
    return [threading.Thread(target=work) for _ in range(threads)]


def look(_):
    send("portal", "GET", "/login")
    send("portal", "GET", "/.well-known/jwks.json")
    send("creditcard", "GET", "/api/creditcards")  # 401


def join(_):
    send("portal", "POST", "/api/customer/signup", {
        "username": "u" + secrets.token_hex(6), "name": {"first": "Ann", "last": "Example"},
        "email": secrets.token_hex(6) + "@example.com", "password": password()})


def guess(_):
    email = secrets.token_hex(6) + "@example.com"
    for _ in range(2):
        send("login", "POST", "/api/customer/login/subsequent", {"email": email, "password": password()})


def flood(i):
    email = secrets.token_hex(6) + "@example.com"
    send(("login", "portal")[i % 2], "POST", "/api/customer/login", {"email": email, "password": password()})


def try_address(_):
    send("portal", "POST", "/api/customer/forgot-password", {"email": secrets.token_hex(6) + "@example.com"})


def register(code):
    body = {"card_number": "4111111111111111", "cvv": "%03d" % code, "cardholder_name": "Ann Example",
            "expiry_date": "12/%d" % (time.gmtime().tm_year + 3)}
    send("portal", "POST", "/register", body, Authorization="Bearer " + token)


status, text = send("portal", "POST", "/oauth2/token", {
    "grant_type": "client_credentials", "client_id": firm["client_id"], "client_secret": firm["client_secret"]})
token = json.loads(text)["access_token"] if status == 200 else ""

work = again(look, 0.05, 1000)
if day == "quiet":
    work += again(join, 0.5, 100)
if day == "attack":
    work += again(guess, 0, 400, 2) + again(try_address, 0.2, 200) + again(register, 0.1, 60)
if day == "flood":
    work += again(flood, 0, 400, 100) + again(try_address, 0.2, 200)
if day == "busy":
    work += again(join, 0.05, 200, 2) + again(lambda _: register(123), 0.05, 200, 2)
for thread in work:
    thread.start()
for thread in work:
    thread.join()
for what, count in sorted(answers.items()):
    print(f"  {count:5} {what}")
