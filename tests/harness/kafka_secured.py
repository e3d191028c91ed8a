"""An Apache Kafka as it is run elsewhere: listeners with SASL and TLS beside the plain one, and ACLs for everybody but the tests."""

import socket
import struct
import subprocess

from .kafka_broker import KafkaBroker
from .service import PATIENCE_S, free_port

PASSWORD = "correct-horse-battery"
USERS = ("minuted", "ledger")

# Whoever comes through the plain listener is the super user: the tests themselves, and the broker.
SECURITY = """\
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{sasl_port},SASL_SSL://127.0.0.1:{sasl_ssl_port},\
SSL://127.0.0.1:{ssl_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{sasl_port},\
SASL_SSL://127.0.0.1:{sasl_ssl_port},SSL://127.0.0.1:{ssl_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location={directory}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={directory}/ca.pem
listener.name.ssl.ssl.client.auth=required
connection.failed.authentication.delay.ms=10
"""
MODULES = "org.apache.kafka.common.security"


def jaas(listener):
    """The logins of a listener: PLAIN's passwords stand here, SCRAM's in the metadata."""
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in USERS)
    yield f"listener.name.{listener}.plain.sasl.jaas.config={MODULES}.plain.PlainLoginModule required {users};"
    for mechanism in ("scram-sha-256", "scram-sha-512"):
        yield f"listener.name.{listener}.{mechanism}.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;"


def openssl(*argv, directory):
    subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=directory)


def make_ca(directory, name="ca"):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", directory=directory)


def make_certificate(directory, name, subject, alternative):
    """NAME.key and NAME.crt, signed by the CA."""
    (directory / "extension").write_text(f"subjectAltName={alternative}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={subject}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr", directory=directory)
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650",
            "-extfile", "extension", "-out", f"{name}.crt", directory=directory)


class SecuredKafka(KafkaBroker):
    name = "secured-kafka"

    def __init__(self, directory, jars):
        super().__init__(directory, jars)
        self.sasl_port, self.sasl_ssl_port, self.ssl_port = free_port(), free_port(), free_port()
        make_ca(self.directory)
        make_ca(self.directory, "other-ca")
        make_certificate(self.directory, "server", "kafka.example", "IP:127.0.0.1")
        make_certificate(self.directory, "client", "minuted", "DNS:minuted.example")
        (self.directory / "server.pem").write_text((self.directory / "server.key").read_text() +
                                                   (self.directory / "server.crt").read_text())
        self.more_properties = SECURITY.format(
            port=self.port, controller_port=self.controller_port, sasl_port=self.sasl_port,
            sasl_ssl_port=self.sasl_ssl_port, ssl_port=self.ssl_port, directory=self.directory) + "\n".join(
                line for listener in ("sasl_plaintext", "sasl_ssl") for line in jaas(listener)) + "\n"
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            for user in USERS:
                self.format_arguments += ["--add-scram", f"{mechanism}=[name={user},password={PASSWORD}]"]

    def login(self, mechanism="PLAIN", user="minuted", password=PASSWORD):
        """Brokers, and kafka.properties that lead there."""
        return f"127.0.0.1:{self.sasl_port}", {
            "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism, "sasl.username": user,
            "sasl.password": password}

    def encrypted_login(self, ca="ca", **login):
        _, properties = self.login(**login)
        return f"127.0.0.1:{self.sasl_ssl_port}", {
            **properties, "security.protocol": "SASL_SSL", "ssl.ca.location": str(self.directory / f"{ca}.pem")}

    def certificate_login(self):
        return f"127.0.0.1:{self.ssl_port}", {
            "security.protocol": "SSL", "ssl.ca.location": str(self.directory / "ca.pem"),
            "ssl.certificate.location": str(self.directory / "client.crt"),
            "ssl.key.location": str(self.directory / "client.key")}

    def allow(self, *rules, user="minuted"):
        """RULES are such as "Write Topic minuted.*"; a * at the end makes it a prefix."""
        self.call_acls(CREATE_ACLS, b"".join(acl(f"User:{user}", *rule.split()) for rule in rules), len(rules))

    def forbid(self, *rules, user="minuted"):
        """Takes back what was allowed."""
        self.call_acls(DELETE_ACLS, b"".join(acl(f"User:{user}", *rule.split()) for rule in rules), len(rules))

    def forbid_all(self):
        self.call_acls(DELETE_ACLS, struct.pack(">bhbhhbb", ANY, -1, ANY, -1, -1, ANY, ANY), 1)

    def call_acls(self, api, entries, n):
        """Kafka's protocol by hand: the client of Debian 12 knows no ACLs."""
        body = struct.pack(">hhi", api, 1, 1) + text("tests") + struct.pack(">i", n) + entries
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as s:
            s.sendall(struct.pack(">i", len(body)) + body)
            stream = s.makefile("rb")
            answer = stream.read(*struct.unpack(">i", stream.read(4)))
        _, _, results, error = struct.unpack_from(">iiih", answer)
        assert (results, error) == (n, 0), answer


CREATE_ACLS, DELETE_ACLS, ANY, ALLOW, LITERAL, PREFIXED = 30, 31, 1, 3, 3, 4
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "IdempotentWrite": 12}
KINDS = {"Topic": 2, "Group": 3, "Cluster": 4, "TransactionalId": 5}


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def acl(principal, operation, kind, name):
    pattern = PREFIXED if name.endswith("*") else LITERAL
    return struct.pack(">b", KINDS[kind]) + text(name.rstrip("*")) + struct.pack(">b", pattern) + text(principal) + \
        text("*") + struct.pack(">bb", OPERATIONS[operation], ALLOW)
