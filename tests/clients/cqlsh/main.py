"""Statements, DESCRIBE and COPY with cqlsh-expansion, AWS's cqlsh. See ../README.md."""
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from checks import run

READY = json.load(open(os.environ["KS_READY"]))
KEY = READY["credentials"]
KEYSPACE = os.environ["KS_KEYSPACE"]
PROGRAM = os.path.join(os.path.dirname(sys.executable), "cqlsh-expansion")

CQLSHRC = """
[connection]
port = {port}
ssl = true
request_timeout = 30

[auth_provider]
module = cassandra_sigv4.auth
classname = SigV4AuthProvider
region_name = {region}

[ssl]
certfile = {ca}
validate = true

[copy]
numprocesses = 1

[copy-from]
maxbatchsize = 10
minbatchsize = 1
chunksize = 30
"""


def cqlsh(statements, folder, secret=KEY["secret_key"], region=READY["region"]):
    """Runs cqlsh with these statements, and returns its status and output."""
    cqlshrc = os.path.join(folder, "cqlshrc")
    with open(cqlshrc, "w") as file:
        file.write(CQLSHRC.format(port=READY["port"], region=region, ca=READY["ca"]))
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": KEY["access_key"], "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": region,
        "HOME": folder,
    }
    command = [PROGRAM, "--cqlshrc", cqlshrc, "--no-color", READY["host"], str(READY["port"]), "--ssl"]
    statements = "CONSISTENCY LOCAL_QUORUM;\n" + statements
    done = subprocess.run(
        command, input=statements, env=environment, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=100,
    )
    print(done.stdout, file=sys.stderr)
    return done.returncode, done.stdout


def ran(statements, folder, *texts):
    status, output = cqlsh(statements, folder)
    if status != 0:
        raise AssertionError(f"it ended with {status}: {output}")
    for text in texts:
        if not re.search(text, output):
            raise AssertionError(f"{text!r} is not in {output!r}")
    return output


def refused(text, folder, **how):
    status, output = cqlsh("SELECT key FROM system.local;", folder, **how)
    if status == 0 or text not in output:
        raise AssertionError(f"status {status}, {text!r} is not in {output!r}")


def awaited(query, folder, text):
    deadline = time.monotonic() + 60
    while text not in ran(query, folder):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{query}: no {text} after 60 s")


def create(folder):
    ran(f"CREATE KEYSPACE {KEYSPACE} WITH REPLICATION = {{'class': 'SingleRegionStrategy'}};", folder)
    awaited(f"SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name='{KEYSPACE}';", folder, KEYSPACE + "\n")
    ran(
        f"CREATE TABLE {KEYSPACE}.goods (shop text, number int, price decimal, tags set<text>, seen timestamp, "
        "PRIMARY KEY (shop, number)) WITH CLUSTERING ORDER BY (number DESC);",
        folder,
    )
    awaited(f"SELECT status FROM system_schema_mcs.tables WHERE keyspace_name='{KEYSPACE}';", folder, "ACTIVE")


def statements(folder):
    ran(
        f"""INSERT INTO {KEYSPACE}.goods (shop, number, price, tags, seen)
            VALUES ('a', 1, 1.50, {{'x', 'y'}}, '2026-01-01 00:00:00+0000');
        SELECT * FROM {KEYSPACE}.goods;""",
        folder,
        r"a \| +1 \| +1\.50 \| 2026-01-01 00:00:00\.000000\+0000 \| \{'x', 'y'\}",
        r"\(1 rows\)",
    )


def describe(folder):
    ran("DESCRIBE KEYSPACES;", folder, rf"\b{KEYSPACE}\b")
    ran(f"USE {KEYSPACE}; DESCRIBE TABLES;", folder, r"\bgoods\b")
    output = ran(
        f"DESCRIBE TABLE {KEYSPACE}.goods;", folder, rf"CREATE TABLE {KEYSPACE}\.goods \(", r"price decimal", r"tags set<text>",
        r"PRIMARY KEY \(shop, number\)", r"CLUSTERING ORDER BY \(number DESC\)",
    )
    # The output is a definition, which creates the same table under another name.
    definition = output[output.index("CREATE TABLE"):].replace(".goods", ".again")
    ran(definition, folder)
    query = f"SELECT status FROM system_schema_mcs.tables WHERE keyspace_name='{KEYSPACE}' AND table_name='again';"
    awaited(query, folder, "ACTIVE")


def copy(folder):
    rows = [["b", str(n), f"{n}.25", "{'t1', 't2'}" if n % 2 else "", "2026-01-01 00:00:00.000+0000"] for n in range(700)]
    source, target = os.path.join(folder, "in.csv"), os.path.join(folder, "out.csv")
    with open(source, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    columns = f"{KEYSPACE}.again (shop, number, price, tags, seen)"
    ran(f"COPY {columns} FROM '{source}';", folder, r"700 rows imported from 1 files")
    ran(f"COPY {columns} TO '{target}';", folder, r"700 rows exported to 1 files")
    with open(target, newline="") as file:
        found = sorted(csv.reader(file), key=lambda row: int(row[1]))
    if found != rows:
        different = [pair for pair in zip(found, rows) if pair[0] != pair[1]]
        raise AssertionError(f"{len(found)} rows came back; {different[:1]}")


def main():
    checks = {
        "connect": lambda folder: ran("SHOW VERSION;", folder, r"Cassandra 3\.11\.2", r"Native protocol v4"),
        "wrong secret": lambda folder: refused("Invalid signature", folder, secret="x" * 40),
        "wrong Region": lambda folder: refused("Invalid signature", folder, region="eu-west-1"),
        "create and await": create,
        "statements": statements,
        "DESCRIBE": describe,
        "COPY": copy,
    }
    with tempfile.TemporaryDirectory() as folder:
        failed = run(checks, folder)
    sys.exit(failed)


main()
