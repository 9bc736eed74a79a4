"""Each SASL mechanism, as a client of the standard library's smtplib does it: for the self-test."""

import base64
import hashlib
import hmac


def encode(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def answer(client, text):
    return client.docmd(encode(text))


def log_in_plain(client, user, password, token):
    return client.docmd("AUTH", "PLAIN " + encode("\0%s\0%s" % (user, password)))


def log_in_login(client, user, password, token):
    client.docmd("AUTH", "LOGIN")
    answer(client, user)
    return answer(client, password)


def log_in_cram_md5(client, user, password, token):
    challenge = base64.b64decode(client.docmd("AUTH", "CRAM-MD5")[1])
    return answer(client, "%s %s" % (user, hmac.new(password.encode(), challenge, "md5").hexdigest()))


def log_in_scram(name):
    def log_in(client, user, password, token):
        bare = "n=%s,r=fyko+d2lbbFgONRv9qkxdawL" % user.replace("=", "=3D").replace(",", "=2C")
        code, text = client.docmd("AUTH", "SCRAM-%s %s" % (name.upper(), encode("n,," + bare)))
        if code != 334:
            return code, text
        first = base64.b64decode(text).decode()
        nonce, salt, iterations = (part[2:] for part in first.split(","))
        digest = name.replace("-", "")
        salted = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(salt), int(iterations))
        final = "c=biws,r=" + nonce
        signed = ",".join([bare, first, final]).encode()
        client_key = hmac.digest(salted, b"Client Key", digest)
        signature = hmac.digest(hashlib.new(digest, client_key).digest(), signed, digest)
        proof = bytes(left ^ right for left, right in zip(client_key, signature))
        code, text = answer(client, "%s,p=%s" % (final, encode(proof)))
        if code != 334:
            return code, text
        expected = hmac.digest(hmac.digest(salted, b"Server Key", digest), signed, digest)
        assert base64.b64decode(text).decode() == "v=" + encode(expected), "the server does not know the password"
        return client.docmd("")

    return log_in


def log_in_oauthbearer(client, user, password, token):
    user = user.replace("=", "=3D").replace(",", "=2C")
    code, text = client.docmd("AUTH", "OAUTHBEARER " + encode("n,a=%s,\1auth=Bearer %s\1\1" % (user, token)))
    # 334 tells why it is refused.
    return answer(client, "\1") if code == 334 else (code, text)


def log_in_xoauth2(client, user, password, token):
    code, text = client.docmd("AUTH", "XOAUTH2 " + encode("user=%s\1auth=Bearer %s\1\1" % (user, token)))
    return client.docmd("") if code == 334 else (code, text)


MECHANISMS = {
    "SCRAM-SHA-256": log_in_scram("sha-256"),
    "SCRAM-SHA-1": log_in_scram("sha-1"),
    "CRAM-MD5": log_in_cram_md5,
    "PLAIN": log_in_plain,
    "LOGIN": log_in_login,
    "OAUTHBEARER": log_in_oauthbearer,
    "XOAUTH2": log_in_xoauth2,
}
