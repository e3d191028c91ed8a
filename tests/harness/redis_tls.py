"""Redis that speaks TLS alone: certificates made by openssl, servers, sentinels and clusters that have them."""

import subprocess

import redis

from .redis_server import SERVER, RedisServer
from .service import PATIENCE_S, Service, free_port, wait_until


class Authority:
    """A CA with a folder of its own. What it signs is NAME.crt and NAME.key there."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 10,
                      "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)
        (directory / "index").write_text("")
        (directory / "serial").write_text("1000\n")
        (directory / "ca.conf").write_text(
            "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\nunique_subject=no\n"
            "policy=any\n[any]\ncommonName=supplied\n")

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=self.directory, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stdout

    @property
    def certificate(self):
        return self.directory / f"{self.name}.crt"

    @property
    def key(self):
        return self.directory / f"{self.name}.key"

    def sign(self, name, names="IP:127.0.0.1", starts="20200101000000Z", ends="21000101000000Z"):
        """A certificate for NAMES, as openssl writes them. Returns NAME's two files."""
        certificate, key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", key, "-out", f"{name}.csr")
        (self.directory / "names").write_text(f"subjectAltName={names}\n" if names else "")
        self._openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", self.certificate, "-keyfile", self.key,
                      "-startdate", starts, "-enddate", ends, "-extfile", "names", "-in", f"{name}.csr", "-out", certificate)
        return certificate, key

    def encrypt_key(self, key):
        encrypted = self.directory / "encrypted.key"
        self._openssl("ec", "-aes128", "-passout", "pass:secret", "-in", key, "-out", encrypted)
        return encrypted

    def tls_settings(self, pair):
        """Of a server or a sentinel: it has the certificate in PAIR, and wants one of this CA."""
        return {"tls-ca-cert-file": self.certificate, "tls-cert-file": pair[0], "tls-key-file": pair[1],
                "tls-replication": "yes"}

    def new_client(self, port):
        """A client of the test's own, which asks neither what the server is called nor who vouches for it."""
        pair = self.sign("tester", names="")
        return redis.Redis(port=port, socket_timeout=PATIENCE_S, ssl=True, ssl_cert_reqs="none", ssl_check_hostname=False,
                           ssl_certfile=str(pair[0]), ssl_keyfile=str(pair[1]))


class TlsRedis(RedisServer):
    """Its one port speaks TLS, and only to clients with a certificate of AUTHORITY."""

    def __init__(self, directory, authority, pair=None, **settings):
        super().__init__(directory, **settings)
        pair = pair or authority.sign("server")
        self.client = authority.new_client(self.port)
        self.settings |= {"port": 0, "tls-port": self.port, **authority.tls_settings(pair), **settings}


class TlsSentinel(Service):
    """Watches primaries: their names and servers, which TLS alone reaches, as it does this sentinel."""

    name = "sentinel"

    def __init__(self, directory, authority, primaries):
        super().__init__(directory)
        self.port = free_port()
        pair = authority.sign("sentinel")
        self.client = authority.new_client(self.port)
        lines = ["port 0", f"tls-port {self.port}", "bind 127.0.0.1"]
        lines += [f"{key} {value}" for key, value in authority.tls_settings(pair).items()]
        lines += [f"sentinel monitor {name} 127.0.0.1 {server.port} 1" for name, server in primaries.items()]
        (self.directory / "sentinel.conf").write_text("\n".join(lines) + "\n")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.spawn([SERVER, self.directory / "sentinel.conf", "--sentinel"])
        self.wait_ready(self.client.ping)
        return self


def cluster_node():
    """Settings of one; its bus speaks TLS, too."""
    return {"cluster-enabled": "yes", "tls-cluster": "yes", "cluster-port": free_port()}


def join_cluster(servers):
    """Primaries of a cluster that share the slots evenly."""
    n = len(servers)
    for i, server in enumerate(servers):
        server.client.execute_command("CLUSTER", "ADDSLOTSRANGE", i * 16384 // n, (i + 1) * 16384 // n - 1)
        server.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
    for server in servers[1:]:
        servers[0].client.execute_command("CLUSTER", "MEET", "127.0.0.1", server.port, server.settings["cluster-port"])

    def knows_all(server):
        info = server.client.execute_command("CLUSTER", "INFO")
        info = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
        return info["cluster_state"] == "ok" and int(info["cluster_slots_ok"]) == 16384
    for server in servers:
        wait_until(lambda s=server: knows_all(s), "the cluster is up")
