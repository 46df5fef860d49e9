"""A small client of the AWS wire protocols with nothing but the standard library: signed REST-JSON and query calls."""

import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse
from xml.etree import ElementTree


class AwsError(Exception):
    """An error that the server answered: the HTTP status, AWS's error code and the message."""

    def __init__(self, status, code, message):
        super().__init__(f"{code} ({status}): {message}")
        self.status = status
        self.code = code


class AwsClient:
    """Calls AWS services at one address. Any credentials will do for a server that runs with `--auth off`."""

    def __init__(self, host, port, access_key="test", secret_key="test", region="us-east-1"):
        self.host, self.port, self.region = host, port, region
        self.access_key, self.secret_key = access_key, secret_key

    def rest(self, service, method, path, body=None, query=None):
        """Calls a REST-JSON operation and returns the decoded answer. Raises AwsError."""
        payload = b"" if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        status, answer_headers, answer = self.request(service, method, path, query or {}, headers, payload)
        document = json.loads(answer) if answer.strip() else {}
        if status >= 400:
            code = answer_headers.get("x-amzn-ErrorType", "UnknownError").split(":")[0]
            raise AwsError(status, code, document.get("message") or document.get("Message"))
        return document

    def query(self, service, version, action, **parameters):
        """Calls an operation of a query service (IAM, STS); returns the answer's texts by element name. Raises AwsError."""
        form = urllib.parse.urlencode({"Action": action, "Version": version, **parameters}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        status, _, answer = self.request(service, "POST", "/", {}, headers, form)
        texts = {element.tag.split("}")[-1]: element.text for element in ElementTree.fromstring(answer).iter()}
        if status >= 400:
            raise AwsError(status, texts.get("Code"), texts.get("Message"))
        return texts

    def request(self, service, method, path, query, headers, payload):
        """Signs and sends one request; returns status, headers and body."""
        query_text = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote)
        signed = self.sign(service, method, path, query_text, headers, payload)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, f"{path}?{query_text}" if query_text else path, payload, signed)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def sign(self, service, method, path, query_text, headers, payload):
        """Adds a Signature Version 4 to the headers."""
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        signed = {**headers, "Host": f"{self.host}:{self.port}", "X-Amz-Date": stamp}
        canonical = {name.lower(): " ".join(value.split()) for name, value in signed.items()}
        names = ";".join(sorted(canonical))
        lines = [method, urllib.parse.quote(path), query_text]
        lines += [f"{name}:{canonical[name]}" for name in sorted(canonical)]
        lines += ["", names, hashlib.sha256(payload).hexdigest()]
        scope = f"{day}/{self.region}/{service}/aws4_request"
        request_hash = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request_hash}"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signed["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        )
        return signed
