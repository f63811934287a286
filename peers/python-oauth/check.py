"""Tests of the OAuth 2.0 endpoints of a running CCMS with Python's clients."""

import json
import os
import pathlib
import subprocess
import time
import unittest

# The server under test is on loopback, without TLS.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as RequestsOAuthlib

DATA = pathlib.Path(os.environ["DATA"])
DEMO = json.loads((DATA / "demo-firm.json").read_text())
PORTAL = json.loads((DATA / "run.json").read_text())["portal"]
META = requests.get(PORTAL + "/.well-known/oauth-authorization-server", timeout=10).json()


def ccms(*words):
    """Runs a command of ccms beside the server and returns its JSON."""
    done = subprocess.run(
        [os.environ["CCMS"], *words, "--data", str(DATA), "-o", "json"],
        check=True, capture_output=True, timeout=60,
    )
    return json.loads(done.stdout)


def client_with_key(key):
    """Makes a client of the demo firm that authenticates with a private key."""
    path = DATA.parent / "keys.json"
    path.write_text(json.dumps({"keys": [{**key.as_dict(private=False), "kid": "k1", "use": "sig"}]}))
    return ccms("client", "create", "--firm", DEMO["firm_id"], "--keys", str(path))["client_id"]


def session(method="client_secret_basic", **kwargs):
    return OAuth2Session(
        DEMO["client_id"], DEMO["client_secret"], token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method, introspection_endpoint_auth_method=method, **kwargs,
    )


def prover(client, key, alg, audience=None, life=60):
    """A session that authenticates by private_key_jwt."""
    s = OAuth2Session(client, key, token_endpoint_auth_method="private_key_jwt")
    claims = {"exp": int(time.time()) + life} if life else {}
    s.register_client_auth_method(PrivateKeyJWT(audience or META["issuer"], claims=claims, headers={"kid": "k1"}, alg=alg))
    return s


class Metadata(unittest.TestCase):
    def test_it_is_valid(self):
        AuthorizationServerMetadata(META).validate_issuer()
        self.assertEqual(META["issuer"], PORTAL)
        self.assertEqual(META["token_endpoint"], PORTAL + "/oauth2/token")


class Authlib(unittest.TestCase):
    def test_secret_in_header_and_body(self):
        for method in ("client_secret_basic", "client_secret_post"):
            with self.subTest(method):
                s = session(method, scope="cards:read")
                token = s.fetch_token(META["token_endpoint"], grant_type="client_credentials")
                self.assertEqual((token["token_type"], token["scope"], token["expires_in"]), ("Bearer", "cards:read", 600))
                self.assertEqual(s.get(PORTAL + "/v1/registrations").status_code, 200)

    def test_private_key(self):
        for key, alg in (
            (ECKey.generate_key("P-256"), "ES256"),
            (RSAKey.generate_key(2048), "RS256"),
            (RSAKey.generate_key(2048), "PS256"),
            (OKPKey.generate_key("Ed25519"), "EdDSA"),
        ):
            with self.subTest(alg):
                client = client_with_key(key)
                token = prover(client, key, alg).fetch_token(META["token_endpoint"], grant_type="client_credentials")
                self.assertEqual(token["token_type"], "Bearer")

    def test_what_a_private_key_may_not_say(self):
        key = ECKey.generate_key("P-256")
        client = client_with_key(key)
        for name, s in {
            "the token URL as audience": prover(client, key, "ES256", audience=META["token_endpoint"]),
            "an hour to live": prover(client, key, "ES256", life=None),
            "another key": prover(client, ECKey.generate_key("P-256"), "ES256"),
        }.items():
            with self.subTest(name), self.assertRaises(OAuthError) as refused:
                s.fetch_token(META["token_endpoint"], grant_type="client_credentials")
            self.assertEqual(refused.exception.error, "invalid_client")
        used = PrivateKeyJWT(META["issuer"], claims={"jti": "once", "exp": int(time.time()) + 60}, alg="ES256")
        for good in (True, False):
            s = OAuth2Session(client, key, token_endpoint_auth_method="private_key_jwt")
            s.register_client_auth_method(used)
            if good:
                s.fetch_token(META["token_endpoint"], grant_type="client_credentials")
                continue
            with self.assertRaises(OAuthError) as refused:
                s.fetch_token(META["token_endpoint"], grant_type="client_credentials")
            self.assertEqual(refused.exception.error, "invalid_client")

    def test_errors(self):
        wrong = OAuth2Session(DEMO["client_id"], DEMO["client_secret"] + "x")
        for s, kwargs, code in (
            (wrong, {"grant_type": "client_credentials"}, "invalid_client"),
            (session(), {"grant_type": "client_credentials", "scope": "nonsense"}, "invalid_scope"),
            (session(), {"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ):
            with self.subTest(code), self.assertRaises(OAuthError) as refused:
                s.fetch_token(META["token_endpoint"], **kwargs)
            self.assertEqual(refused.exception.error, code)
            self.assertTrue(refused.exception.description)

    def test_a_resource_server_checks_the_signature(self):
        token = session().fetch_token(META["token_endpoint"], grant_type="client_credentials")["access_token"]
        keys = KeySet.import_key_set(requests.get(META["jwks_uri"], timeout=10).json())
        claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": META["issuer"]}, aud={"essential": True, "value": "ccms"}, exp={"essential": True},
        ).validate(claims)
        self.assertEqual((claims["sub"], claims["client_id"], claims["firm_id"], claims["mode"]),
                         (DEMO["client_id"], DEMO["client_id"], DEMO["firm_id"], "test"))

    def test_introspection_and_revocation(self):
        for method in ("client_secret_basic", "client_secret_post"):
            with self.subTest(method):
                s = session(method)
                token = s.fetch_token(META["token_endpoint"], grant_type="client_credentials")["access_token"]
                seen = s.introspect_token(META["introspection_endpoint"], token=token).json()
                self.assertEqual((seen["active"], seen["client_id"], seen["iss"]), (True, DEMO["client_id"], META["issuer"]))
                self.assertEqual(s.revoke_token(META["revocation_endpoint"], token=token).status_code, 200)
                self.assertEqual(s.introspect_token(META["introspection_endpoint"], token=token).json(), {"active": False})
                self.assertEqual(s.revoke_token(META["revocation_endpoint"], token="unknown").status_code, 200)
                deadline = time.monotonic() + 1.2  # a second, and what the request takes
                while s.get(PORTAL + "/v1/registrations", headers={"Authorization": "Bearer " + token}).status_code != 401:
                    self.assertLess(time.monotonic(), deadline, "the revoked token still works")

    def test_another_firm_sees_nothing(self):
        token = session().fetch_token(META["token_endpoint"], grant_type="client_credentials")["access_token"]
        other = ccms("firm", "create", "--name", "Other")
        s = OAuth2Session(other["client_id"], other["client_secret"])
        self.assertEqual(s.introspect_token(META["introspection_endpoint"], token=token).json(), {"active": False})
        ccms("firm", "suspend", other["firm_id"])
        with self.assertRaises(OAuthError) as refused:
            s.fetch_token(META["token_endpoint"], grant_type="client_credentials")
        self.assertEqual(refused.exception.error, "invalid_client")


class RequestsOAuthlibClient(unittest.TestCase):
    def test_secret_in_header_and_body(self):
        for kwargs in (
            {"auth": HTTPBasicAuth(DEMO["client_id"], DEMO["client_secret"])},
            {"client_secret": DEMO["client_secret"], "include_client_id": True},
        ):
            with self.subTest(list(kwargs)):
                s = RequestsOAuthlib(client=BackendApplicationClient(client_id=DEMO["client_id"], scope=["cards:read", "reports:read"]))
                token = s.fetch_token(META["token_endpoint"], **kwargs)
                self.assertEqual((token["token_type"], set(token["scope"])), ("Bearer", {"cards:read", "reports:read"}))
                self.assertEqual(s.get(PORTAL + "/v1/registrations").status_code, 200)

    def test_errors(self):
        s = RequestsOAuthlib(client=BackendApplicationClient(client_id=DEMO["client_id"]))
        with self.assertRaises(OAuth2Error) as refused:
            s.fetch_token(META["token_endpoint"], auth=HTTPBasicAuth(DEMO["client_id"], "wrong"))
        self.assertEqual(refused.exception.error, "invalid_client")


if __name__ == "__main__":
    unittest.main()
