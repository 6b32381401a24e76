"""The checks of the drivers in ../README.md, with the official Python stack (cassandra-driver, cassandra-sigv4, boto3)."""
import json
import os
import ssl
import sys
import time
import uuid
from collections import namedtuple
from datetime import date, datetime, timedelta
from decimal import Decimal

from boto3 import Session as AwsSession
from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, SimpleStatement
from cassandra.util import Date, Time
from cassandra_sigv4.auth import SigV4AuthProvider

from checks import run

READY = json.load(open(os.environ["KS_READY"]))
KEY = READY["credentials"]
KEYSPACE = os.environ["KS_KEYSPACE"]
DAY = date(2026, 1, 1)
MIDNIGHT = datetime(2026, 1, 1)

Address = namedtuple("Address", "street number")


def connect(secret=KEY["secret_key"], region=READY["region"], ca=READY["ca"], auth=None):
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    signer = AwsSession(
        region_name=region, aws_access_key_id=KEY["access_key"], aws_secret_access_key=secret,
        aws_session_token=KEY["session_token"],
    )
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=READY["region"])),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
    )
    cluster = Cluster(
        [READY["host"]],
        port=READY["port"],
        ssl_context=context,
        ssl_options={"server_hostname": READY["names"][1]},
        auth_provider=auth or SigV4AuthProvider(signer),
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    )
    return cluster, cluster.connect()


def equal(found, wanted, what="the value"):
    if found != wanted:
        raise AssertionError(f"{what} is {found!r}, not {wanted!r}"[:600])


def refused(text, **how):
    try:
        cluster, _ = connect(**how)
    except NoHostAvailable as error:
        causes = " ".join(str(cause) for cause in error.errors.values())
        if text not in causes:
            raise AssertionError(f"{text!r} is not in {causes!r}") from None
        return
    cluster.shutdown()
    raise AssertionError("it connected")


def wrong_secret(_):
    refused("Invalid signature", secret="x" * 40)


def wrong_region(_):
    refused("Invalid signature", region="eu-west-1")


def unknown_ca(_):
    refused("CERTIFICATE_VERIFY_FAILED", ca=os.environ["KS_OTHER_CA"])


def password(_):
    cluster, session = connect(auth=PlainTextAuthProvider(KEY["user"], KEY["password"]))
    equal(session.execute("SELECT key FROM system.local").one()[0], "local")
    cluster.shutdown()


def active(session, table):
    query = "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name=%s AND table_name=%s"
    awaited(session, query, (KEYSPACE, table), "ACTIVE")


def awaited(session, query, values, wanted):
    deadline, seen = time.monotonic() + 60, None
    while time.monotonic() < deadline:
        row = session.execute(query, values).one()
        seen = row and row[0]
        if seen == wanted:
            return
        time.sleep(0.1)
    raise TimeoutError(f"{query}: {seen!r} instead of {wanted!r} after 60 s")


def create(session):
    session.execute(f"CREATE KEYSPACE {KEYSPACE} WITH REPLICATION = {{'class': 'SingleRegionStrategy'}}")
    query = "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name=%s"
    awaited(session, query, (KEYSPACE,), KEYSPACE)
    session.set_keyspace(KEYSPACE)
    session.execute("CREATE TYPE address (street text, number int)")
    query = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name=%s AND type_name='address'"
    awaited(session, query, (KEYSPACE,), "ACTIVE")
    columns = ", ".join(f"v_{name} {name}" for name in SCALARS)
    tables = {
        "events": "device_id text, event_date date, event_time timestamp, event_type text, payload text, "
        "PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC",
        "scalars": f"id int PRIMARY KEY, {columns}",
        "nested": "id int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, f frozen<list<frozen<map<int, text>>>>, "
        "a frozen<address>, al list<frozen<address>>, t tuple<int, text, boolean>",
        "counters": "id int PRIMARY KEY, n counter",
        "altered": "id int PRIMARY KEY, name text",
    }
    for name, columns in tables.items():
        session.execute(f"CREATE TABLE {name} ({columns})")
    for name in tables:
        active(session, name)


def metadata(session):
    # The driver read the schema when the definitions were answered, before all tables were ACTIVE.
    session.cluster.refresh_schema_metadata()
    tables = session.cluster.metadata.keyspaces[KEYSPACE].tables
    equal([column.name for column in tables["events"].primary_key], ["device_id", "event_date", "event_time"])
    equal(tables["events"].columns["event_time"].cql_type, "timestamp")


def event(device, i, payload="x" * 100):
    return device, DAY, MIDNIGHT + timedelta(milliseconds=i), "click", payload


def insert_events(session, device, number, payload="x" * 100):
    insert = session.prepare("INSERT INTO events (device_id, event_date, event_time, event_type, payload) VALUES (?, ?, ?, ?, ?)")
    for future in [session.execute_async(insert, event(device, i, payload)) for i in range(number)]:
        future.result()


def simple(session):
    query = "INSERT INTO events (device_id, event_date, event_time, event_type, payload) VALUES (%s, %s, %s, %s, %s)"
    session.execute(query, event("simple", 1, "it's"))
    rows = session.execute("SELECT * FROM events WHERE device_id=%s AND event_date=%s", ("simple", DAY)).all()
    equal([tuple(row) for row in rows], [event("simple", 1, "it's")])


def prepared(session):
    insert_events(session, "prepared", 3)
    select = session.prepare("SELECT * FROM events WHERE device_id=:device AND event_date=:day")
    rows = session.execute(select, {"device": "prepared", "day": DAY}).all()
    equal([tuple(row) for row in rows], [event("prepared", i) for i in (2, 1, 0)])


def limit(session):
    insert_events(session, "limit", 15)
    wanted = [event("limit", i)[2] for i in reversed(range(15))]
    for number in (1, 4, 10, 15, 100):
        for page in (None, 3, 10, 15):
            select = session.prepare("SELECT event_time FROM events WHERE device_id=? AND event_date=? LIMIT ?")
            if page:
                select.fetch_size = page
            found = [row[0] for row in session.execute(select, ("limit", DAY, number))]
            equal(found, wanted[:number], f"LIMIT {number} with pages of {page or 'the default size'}")
        found = [row[0] for row in session.execute(
            f"SELECT event_time FROM events WHERE device_id='limit' AND event_date='2026-01-01' LIMIT {number}")]
        equal(found, wanted[:number], f"LIMIT {number} in a simple statement")


def guide(session):
    """The query of the guide that this project began with, with the driver's default page size: the newest ten events, each once."""
    insert_events(session, "guide", 15)
    query = "SELECT event_time, event_type, payload FROM events WHERE device_id=%s AND event_date=%s LIMIT 10"
    printed = [f"{row.event_time} {row.event_type} {row.payload}" for row in session.execute(query, ("guide", DAY))]
    equal(printed, ["{2} {3} {4}".format(*event("guide", i)) for i in range(14, 4, -1)])
    equal(len(set(printed)), 10, "the number of different rows")


def pages(session):
    insert_events(session, "pages", 1000)
    insert_events(session, "large", 60, "y" * 50_000)
    select = session.prepare("SELECT * FROM events WHERE device_id=? AND event_date=?")
    for device, number, page in (("pages", 1000, None), ("pages", 1000, 300), ("pages", 1000, 500), ("large", 60, None)):
        select.fetch_size = page or session.default_fetch_size
        payload = "y" * 50_000 if device == "large" else "x" * 100
        found = [tuple(row) for row in session.execute(select, (device, DAY))]
        equal(found, [event(device, i, payload) for i in reversed(range(number))], f"{device} in pages of {page}")


def conditional(session):
    insert = session.prepare("INSERT INTO altered (id, name) VALUES (?, ?) IF NOT EXISTS")
    equal(tuple(session.execute(insert, (10, "a")).one()), (True,))
    equal(session.execute(insert, (10, "b")).one()._asdict(), {"applied": False, "id": 10, "name": "a"})
    update = session.prepare("UPDATE altered SET name = ? WHERE id = ? IF name = ?")
    equal(tuple(session.execute(update, ("c", 10, "a")).one()), (True,))
    equal(session.execute(update, ("d", 10, "a")).one()._asdict(), {"applied": False, "name": "c"})
    equal(tuple(session.execute("DELETE FROM altered WHERE id = 11 IF EXISTS").one()), (False,))
    equal(session.execute("DELETE FROM altered WHERE id = 10 IF name = 'c'").was_applied, True)
    equal(session.execute("SELECT * FROM altered WHERE id = 10").one(), None)


def batches(session):
    insert = session.prepare("INSERT INTO altered (id, name) VALUES (?, ?)")
    for kind, first in ((BatchType.LOGGED, 20), (BatchType.UNLOGGED, 30)):
        batch = BatchStatement(batch_type=kind)
        batch.add(insert, (first, "prepared"))
        batch.add(SimpleStatement("INSERT INTO altered (id, name) VALUES (%s, %s)"), (first + 1, "simple"))
        batch.add(SimpleStatement(f"UPDATE altered SET name = 'text' WHERE id = {first + 2}"))
        session.execute(batch)
        names = [session.execute("SELECT name FROM altered WHERE id=%s", (first + i,)).one()[0] for i in range(3)]
        equal(names, ["prepared", "simple", "text"])


def nested(session, id, columns):
    return tuple(session.execute(f"SELECT {columns} FROM nested WHERE id=%s", (id,)).one())


def collections(session):
    insert = session.prepare("INSERT INTO nested (id, l, s, m, f) VALUES (?, ?, ?, ?, ?)")
    session.execute(insert, (1, [1, 2, 2], {"a", "b"}, {"k": 1}, [{1: "x"}, {}]))
    for change, value in (
        ("l = l + ?", [3]), ("l = ? + l", [0]), ("s = s + ?", {"c"}), ("s = s - ?", {"a"}), ("m = m + ?", {"j": 2}), ("m['k'] = ?", 7),
    ):
        session.execute(session.prepare(f"UPDATE nested SET {change} WHERE id=1"), (value,))
    l, s, m, f = nested(session, 1, "l, s, m, f")
    equal((l, set(s), dict(m), [dict(part) for part in f]), ([0, 1, 2, 2, 3], {"b", "c"}, {"j": 2, "k": 7}, [{1: "x"}, {}]))
    session.execute(insert, (2, [], set(), {}, []))
    equal(nested(session, 2, "l, s, m, f"), (None, None, None, []), "what an empty collection becomes")


def user_types(session):
    session.cluster.register_user_type(KEYSPACE, "address", Address)
    insert = session.prepare("INSERT INTO nested (id, a, al) VALUES (?, ?, ?)")
    session.execute(insert, (3, Address("Main", 1), [Address("Side", None)]))
    equal(nested(session, 3, "a, al"), (Address("Main", 1), [Address("Side", None)]))


def tuples(session):
    session.execute(session.prepare("INSERT INTO nested (id, t) VALUES (?, ?)"), (4, (1, "x", None)))
    equal(nested(session, 4, "t"), ((1, "x", None),))


def null_and_unset(session):
    insert = session.prepare("INSERT INTO altered (id, name) VALUES (?, ?)")
    for value, wanted in (("a", "a"), (UNSET_VALUE, "a"), (None, None)):
        session.execute(insert, (40, value))
        equal(session.execute("SELECT name FROM altered WHERE id=40").one()[0], wanted, f"name after {value!r}")


def in_json(session):
    session.execute("""INSERT INTO nested JSON '{"id": 5, "l": [1, 2], "m": {"k": 1}, "a": {"street": "Main", "number": 1}}'""")
    equal(nested(session, 5, "l, m"), ([1, 2], {"k": 1}))
    session.execute(session.prepare("INSERT INTO nested JSON ?"), ['{"id": 6, "s": ["b", "a"], "t": [1, "x", true]}'])
    row = session.execute("SELECT JSON id, s, t, l FROM nested WHERE id=6").one()[0]
    equal(json.loads(row), {"id": 6, "s": ["a", "b"], "t": [1, "x", True], "l": None})


SCALARS = {
    "ascii": ["", "~"],
    "bigint": [-(2**63), 2**63 - 1],
    "blob": [b"", bytes(range(256))],
    "boolean": [False, True],
    "date": [Date(date(1969, 12, 31)), Date(date(9999, 12, 31))],
    "decimal": [Decimal("-0.00000000000000000001"), Decimal("12345678901234567890.123456789012345678")],
    "double": [-1.7976931348623157e308, 0.1],
    "float": [-1.5, 16777216.0],
    "inet": ["127.0.0.1", "2001:db8::1"],
    "int": [-(2**31), 2**31 - 1],
    "smallint": [-(2**15), 2**15 - 1],
    "text": ["", "héllo ✓ 🦀"],
    "time": [Time(0), Time(86_399_999_999_999)],
    "timestamp": [datetime(1969, 12, 31, 23, 59, 59, 999000), datetime(2026, 1, 1, 12, 0, 0, 1000)],
    "timeuuid": [uuid.UUID("00000000-0000-1000-8080-808080808080"), uuid.uuid1()],
    "tinyint": [-128, 127],
    "uuid": [uuid.UUID(int=0), uuid.uuid4()],
    "varchar": ["", "x" * 1000],
    "varint": [-(10**37), 10**38 - 1],
}


def every_type(session):
    names = list(SCALARS)
    markers = ", ".join("?" * len(names))
    columns = ", ".join(f"v_{name}" for name in names)
    insert = session.prepare(f"INSERT INTO scalars (id, {columns}) VALUES (?, {markers})")
    for i in range(2):
        session.execute(insert, [i] + [SCALARS[name][i] for name in names])
        for select in ("simple", "prepared"):
            query = f"SELECT {columns} FROM scalars WHERE id={i}"
            row = session.execute(query if select == "simple" else session.prepare(query)).one()
            for name, value in zip(names, row):
                equal(value, SCALARS[name][i], name)
    for step, wanted in ((2**40, 2**40), (-3, 2**40 - 3)):
        session.execute(session.prepare("UPDATE counters SET n = n + ? WHERE id = 1"), (step,))
        equal(session.execute("SELECT n FROM counters WHERE id=1").one()[0], wanted, "counter")


def after_alter(session):
    insert = session.prepare("INSERT INTO altered (id, name) VALUES (?, ?)")
    star = session.prepare("SELECT * FROM altered WHERE id = ?")
    named = session.prepare("SELECT id, name FROM altered WHERE id = ?")
    session.execute(insert, (50, "before"))
    equal(tuple(session.execute(star, (50,)).one()), (50, "before"))
    session.execute("ALTER TABLE altered ADD email text")
    active(session, "altered")
    session.execute(insert, (51, "after"))
    session.execute("UPDATE altered SET email = 'a@b' WHERE id = 51")
    for i, name in ((50, "before"), (51, "after")):
        equal(tuple(session.execute(named, (i,)).one()), (i, name), "the named columns")
        row = session.execute(star, (i,)).one()
        equal((row.id, row.name), (i, name), "SELECT *")


def main():
    checks = {
        "wrong secret": wrong_secret, "wrong Region": wrong_region, "unknown CA": unknown_ca, "password": password,
        "create and await": create, "schema metadata": metadata, "simple statements": simple, "prepared statements": prepared, "LIMIT": limit, "the guide's query": guide,
        "pages": pages, "conditional writes": conditional, "batches": batches, "collections": collections,
        "user-defined types": user_types, "tuples": tuples, "null and unset": null_and_unset, "JSON": in_json,
        "every type": every_type, "prepared before ALTER TABLE": after_alter,
    }
    cluster, session = connect()
    equal(session.execute("SELECT cluster_name FROM system.local").one()[0], "Amazon Keyspaces")
    print("ok connect", flush=True)
    failed = run(checks, session)
    session.execute(f"DROP KEYSPACE {KEYSPACE}")
    cluster.shutdown()
    sys.exit(failed)


main()
