"""Reads the certificate and the key for TLS, with errors that name the file and what to do."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from hub.model.errors import Refused

_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: *4, *ENCRYPTED")
_CIPHERS_OF_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Those of TLS 1.2 that RFC 7540, appendix A does not exclude; TAXII 2.1, section 8.2.2. TLS 1.3 has its own."""
_ANOTHERS = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"})


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Returns a server context with this certificate chain. Raises Refused for any problem of the files."""
    if not _CERTIFICATE.search(_read("TLS_CERT", certificate)):
        raise Refused(
            "tls.no-certificate",
            f"TLS_CERT: {certificate} holds no certificate in PEM.",
            "It has a line -----BEGIN CERTIFICATE-----; openssl x509 -inform der makes one out of DER.",
        )
    said = _read("TLS_KEY", key)
    if _ENCRYPTED.search(said):
        raise Refused(
            "tls.encrypted-key",
            f"TLS_KEY: {key} is encrypted, and the hub cannot ask for its passphrase.",
            f"Remove it: openssl pkey -in {key} -out NEW, readable by the hub's user alone.",
        )
    if not _KEY.search(said):
        raise Refused(
            "tls.no-key",
            f"TLS_KEY: {key} holds no private key in PEM.",
            "It has a line -----BEGIN PRIVATE KEY-----; is it the certificate, or in DER?",
        )
    return _loaded(certificate, key)


def _read(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Refused(
            "tls.no-file", f"{option}: there is no file {path}.", f"Correct {option}, or put the file there."
        ) from None
    except OSError as error:
        raise Refused(
            "tls.unreadable",
            f"{option}: {path} cannot be read: {error.strerror}.",
            "Let the user that runs the hub read it.",
        ) from None


def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_ciphers(_CIPHERS_OF_1_2)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # never asks on a terminal
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "reason", None) or str(error)
        if why in _ANOTHERS:
            raise Refused(
                "tls.mismatch",
                f"TLS_KEY: {key} is not the key of the first certificate in {certificate}.",
                "The hub's own certificate comes first, then those of its authorities; name its own key.",
            ) from None
        option, path = ("TLS_KEY", key) if _certificates_are_whole(certificate) else ("TLS_CERT", certificate)
        words = why.lower().replace("_", " ")
        raise Refused(
            "tls.damaged",
            f"{option}: {path} cannot be used: {words}.",
            "Use a complete copy, in PEM, with a strong key.",
        ) from None
    return context


def _certificates_are_whole(certificate: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except (OSError, ssl.SSLError):
        return False
    return True
