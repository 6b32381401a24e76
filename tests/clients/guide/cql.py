"""cql.py STATEMENT: sends one statement and prints its rows, a line each, with tabs between the values.

With SigV4; with user and password if KS_USER and KS_PASSWORD are set.
"""
import json
import os
import ssl
import sys

from boto3 import Session
from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy
from cassandra_sigv4.auth import SigV4AuthProvider

ready = json.load(open(os.environ["KS_READY"]))
key = ready["credentials"]
if "KS_USER" in os.environ:
    auth = PlainTextAuthProvider(os.environ["KS_USER"], os.environ["KS_PASSWORD"])
else:
    auth = SigV4AuthProvider(Session(
        region_name=ready["region"], aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"],
        aws_session_token=key["session_token"],
    ))
cluster = Cluster(
    [ready["host"]],
    port=ready["port"],
    ssl_context=ssl.create_default_context(cafile=ready["ca"]),
    ssl_options={"server_hostname": ready["names"][1]},
    auth_provider=auth,
    execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(
        load_balancing_policy=DCAwareRoundRobinPolicy(local_dc=ready["region"]),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
    )},
)
for row in cluster.connect().execute(sys.argv[1]):
    print(*row, sep="\t")
cluster.shutdown()
