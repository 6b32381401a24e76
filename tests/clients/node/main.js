'use strict';
// The checks of the drivers in ../README.md, with the official Node.js stack (cassandra-driver, aws-sigv4-auth-cassandra-plugin).

const cassandra = require('cassandra-driver');
const { SigV4AuthProvider } = require('aws-sigv4-auth-cassandra-plugin');
const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect, isDeepStrictEqual } = require('node:util');

const { types } = cassandra;
const READY = JSON.parse(fs.readFileSync(process.env.KS_READY));
const KEY = READY.credentials;
const KEYSPACE = process.env.KS_KEYSPACE;
const DAY = new types.LocalDate(2026, 1, 1);
const MIDNIGHT = Date.UTC(2026, 0, 1);
const PREPARED = { prepare: true };

async function connect({ secret = KEY.secret_key, region = READY.region, ca = READY.ca, authProvider } = {}) {
  const client = new cassandra.Client({
    contactPoints: [READY.host],
    localDataCenter: READY.region,
    protocolOptions: { port: READY.port },
    queryOptions: { consistency: types.consistencies.localQuorum },
    // The driver's default is rejectUnauthorized: false.
    sslOptions: { ca: [fs.readFileSync(ca)], servername: READY.names[1], rejectUnauthorized: true },
    authProvider:
      authProvider ?? new SigV4AuthProvider({ region, accessKeyId: KEY.access_key, secretAccessKey: secret }),
  });
  try {
    await client.connect();
  } catch (error) {
    await client.shutdown();
    throw error;
  }
  return client;
}

/** Converts a value to one without the driver's classes, so that deep equality compares its contents. */
function plain(value) {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return `blob ${value.toString('hex')}`;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof types.Tuple) return value.values().map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object') {
    if (Object.getPrototypeOf(value) !== Object.prototype && !(value instanceof types.Row)) {
      return `${value.constructor.name} ${value}`;
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  }
  return value;
}

function equal(found, wanted, what = 'the value') {
  if (!isDeepStrictEqual(plain(found), plain(wanted))) {
    throw new Error(`${what} is ${inspect(plain(found))}, not ${inspect(plain(wanted))}`.slice(0, 600));
  }
}

async function refused(text, how) {
  let client;
  try {
    client = await connect(how);
  } catch (error) {
    const causes = Object.values(error.innerErrors ?? { error }).map((cause) => cause.message);
    if (!causes.join().includes(text)) throw new Error(`${text} is not in ${causes}`);
    return;
  }
  await client.shutdown();
  throw new Error('it connected');
}

async function awaited(client, query, values, wanted) {
  const deadline = Date.now() + 60_000;
  let seen;
  while (Date.now() < deadline) {
    seen = (await client.execute(query, values)).first()?.get(0);
    if (seen === wanted) return;
    await sleep(100);
  }
  throw new Error(`${query}: ${seen} instead of ${wanted} after 60 s`);
}

const active = (client, table) =>
  awaited(
    client,
    'SELECT status FROM system_schema_mcs.tables WHERE keyspace_name=? AND table_name=?',
    [KEYSPACE, table],
    'ACTIVE',
  );

async function create(client) {
  await client.execute(`CREATE KEYSPACE ${KEYSPACE} WITH REPLICATION = {'class': 'SingleRegionStrategy'}`);
  const keyspaces = 'SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name=?';
  await awaited(client, keyspaces, [KEYSPACE], KEYSPACE);
  await client.execute(`USE ${KEYSPACE}`);
  await client.execute('CREATE TYPE address (street text, number int)');
  const status = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name=? AND type_name='address'";
  await awaited(client, status, [KEYSPACE], 'ACTIVE');
  const tables = {
    events:
      'device_id text, event_date date, event_time timestamp, event_type text, payload text, ' +
      'PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC',
    scalars: `id int PRIMARY KEY, ${Object.keys(SCALARS).map((name) => `v_${name} ${name}`)}`,
    nested:
      'id int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, f frozen<list<frozen<map<text, text>>>>, ' +
      'a frozen<address>, al list<frozen<address>>, t tuple<int, text, boolean>',
    counters: 'id int PRIMARY KEY, n counter',
    altered: 'id int PRIMARY KEY, name text',
  };
  for (const [name, columns] of Object.entries(tables)) await client.execute(`CREATE TABLE ${name} (${columns})`);
  for (const name of Object.keys(tables)) await active(client, name);
}

async function metadata(client) {
  // The driver read the schema when the definitions were answered, before all tables were ACTIVE.
  await client.metadata.refreshKeyspaces();
  const table = await client.metadata.getTable(KEYSPACE, 'events');
  equal(table.partitionKeys.concat(table.clusteringKeys).map((column) => column.name), [
    'device_id',
    'event_date',
    'event_time',
  ]);
  equal(table.columnsByName.event_time.type.code, types.dataTypes.timestamp);
  equal(client.metadata.keyspaces[KEYSPACE]?.name, KEYSPACE, 'the keyspace that the driver knows');
}

const event = (device, i, payload = 'x'.repeat(100)) => [device, DAY, new Date(MIDNIGHT + i), 'click', payload];

async function insertEvents(client, device, number, payload) {
  const query = 'INSERT INTO events (device_id, event_date, event_time, event_type, payload) VALUES (?, ?, ?, ?, ?)';
  const rows = Array.from({ length: number }, (_, i) => event(device, i, payload));
  await cassandra.concurrent.executeConcurrent(client, query, rows);
}

async function all(client, query, values, options) {
  const rows = [];
  for await (const row of await client.execute(query, values, options)) rows.push(row.values());
  return rows;
}

async function simple(client) {
  const query = 'INSERT INTO events (device_id, event_date, event_time, event_type, payload) VALUES (?, ?, ?, ?, ?)';
  await client.execute(query, event('simple', 1, "it's"), { hints: ['text', 'date', 'timestamp', 'text', 'text'] });
  const select = "SELECT * FROM events WHERE device_id=? AND event_date='2026-01-01'";
  equal(await all(client, select, ['simple']), [event('simple', 1, "it's")]);
}

async function prepared(client) {
  await insertEvents(client, 'prepared', 3);
  const query = 'SELECT * FROM events WHERE device_id=:device AND event_date=:day';
  const rows = await all(client, query, { device: 'prepared', day: DAY }, PREPARED);
  equal(rows, [2, 1, 0].map((i) => event('prepared', i)));
}

async function limit(client) {
  await insertEvents(client, 'limit', 15);
  const wanted = Array.from({ length: 15 }, (_, i) => [event('limit', 14 - i)[2]]);
  for (const number of [1, 4, 10, 15, 100]) {
    for (const fetchSize of [undefined, 3, 10, 15]) {
      const select = 'SELECT event_time FROM events WHERE device_id=? AND event_date=? LIMIT ?';
      const found = await all(client, select, ['limit', DAY, number], { ...PREPARED, ...(fetchSize && { fetchSize }) });
      equal(found, wanted.slice(0, number), `LIMIT ${number} with pages of ${fetchSize ?? 'the default size'}`);
    }
    const text = `SELECT event_time FROM events WHERE device_id='limit' AND event_date='2026-01-01' LIMIT ${number}`;
    equal(await all(client, text), wanted.slice(0, number), `LIMIT ${number} in a simple statement`);
  }
}

async function pages(client) {
  const large = 'y'.repeat(50_000);
  await insertEvents(client, 'pages', 1000);
  await insertEvents(client, 'large', 60, large);
  const select = 'SELECT * FROM events WHERE device_id=? AND event_date=?';
  for (const [device, number, fetchSize] of [['pages', 1000], ['pages', 1000, 300], ['pages', 1000, 500], ['large', 60]]) {
    const found = await all(client, select, [device, DAY], { ...PREPARED, ...(fetchSize && { fetchSize }) });
    const payload = device === 'large' ? large : undefined;
    const wanted = Array.from({ length: number }, (_, i) => event(device, number - 1 - i, payload));
    equal(found, wanted, `${device} in pages of ${fetchSize ?? 'the default size'}`);
  }
}

async function conditional(client) {
  const insert = (name) =>
    client.execute('INSERT INTO altered (id, name) VALUES (?, ?) IF NOT EXISTS', [10, name], PREPARED);
  equal((await insert('a')).wasApplied(), true);
  equal((await insert('b')).first(), { '[applied]': false, id: 10, name: 'a' });
  const update = (name, old) =>
    client.execute('UPDATE altered SET name = ? WHERE id = ? IF name = ?', [name, 10, old], PREPARED);
  equal((await update('c', 'a')).first(), { '[applied]': true });
  equal((await update('d', 'a')).first(), { '[applied]': false, name: 'c' });
  equal((await client.execute('DELETE FROM altered WHERE id = 11 IF EXISTS')).first(), { '[applied]': false });
  equal((await client.execute("DELETE FROM altered WHERE id = 10 IF name = 'c'")).wasApplied(), true);
  equal((await client.execute('SELECT * FROM altered WHERE id = 10')).first(), null);
}

const nameOf = async (client, id) => (await client.execute('SELECT name FROM altered WHERE id=?', [id], PREPARED)).first().name;

async function batches(client) {
  for (const [logged, first] of [[true, 20], [false, 30]]) {
    const insert = 'INSERT INTO altered (id, name) VALUES (?, ?)';
    await client.batch([{ query: insert, params: [first, 'prepared'] }, { query: insert, params: [first + 1, 'again'] }], {
      logged,
      prepare: true,
    });
    await client.batch([`UPDATE altered SET name = 'text' WHERE id = ${first + 2}`, `DELETE FROM altered WHERE id = ${first + 1}`], {
      logged,
    });
    equal(await nameOf(client, first), 'prepared');
    equal(await nameOf(client, first + 2), 'text');
    equal((await client.execute(`SELECT * FROM altered WHERE id=${first + 1}`)).first(), null);
  }
}

const nested = async (client, id, columns) =>
  (await client.execute(`SELECT ${columns} FROM nested WHERE id=?`, [id], PREPARED)).first().values();

async function collections(client) {
  const insert = 'INSERT INTO nested (id, l, s, m, f) VALUES (?, ?, ?, ?, ?)';
  await client.execute(insert, [1, [1, 2, 2], ['a', 'b'], { k: 1 }, [{ 1: 'x' }, {}]], PREPARED);
  const changes = [
    ['l = l + ?', [3]],
    ['l = ? + l', [0]],
    ['s = s + ?', ['c']],
    ['s = s - ?', ['a']],
    ['m = m + ?', { j: 2 }],
    ["m['k'] = ?", 7],
  ];
  for (const [change, value] of changes) await client.execute(`UPDATE nested SET ${change} WHERE id=1`, [value], PREPARED);
  equal(await nested(client, 1, 'l, s, m, f'), [[0, 1, 2, 2, 3], ['b', 'c'], { j: 2, k: 7 }, [{ 1: 'x' }, {}]]);
  await client.execute(insert, [2, [], [], {}, []], PREPARED);
  // The driver writes an empty list as null, even a frozen list.
  equal(await nested(client, 2, 'l, s, m, f'), [null, null, null, null], 'what an empty collection becomes');
}

async function userTypes(client) {
  const values = [3, { street: 'Main', number: 1 }, [{ street: 'Side', number: null }]];
  await client.execute('INSERT INTO nested (id, a, al) VALUES (?, ?, ?)', values, PREPARED);
  equal(await nested(client, 3, 'a, al'), values.slice(1));
  const type = await client.metadata.getUdt(KEYSPACE, 'address');
  equal(type?.fields.map((field) => field.name), ['street', 'number'], 'the fields that the driver knows');
}

async function tuples(client) {
  await client.execute('INSERT INTO nested (id, t) VALUES (?, ?)', [4, new types.Tuple(1, 'x', null)], PREPARED);
  equal(await nested(client, 4, 't'), [new types.Tuple(1, 'x', null)]);
}

async function nullAndUnset(client) {
  for (const [value, wanted] of [['a', 'a'], [types.unset, 'a'], [null, null]]) {
    await client.execute('INSERT INTO altered (id, name) VALUES (?, ?)', [40, value], PREPARED);
    equal(await nameOf(client, 40), wanted, `name after ${inspect(value)}`);
  }
}

async function inJson(client) {
  const text = '{"id": 5, "l": [1, 2], "m": {"k": 1}, "a": {"street": "Main", "number": 1}}';
  await client.execute(`INSERT INTO nested JSON '${text}'`);
  equal(await nested(client, 5, 'l, m, a'), [[1, 2], { k: 1 }, { street: 'Main', number: 1 }]);
  await client.execute('INSERT INTO nested JSON ?', ['{"id": 6, "s": ["b", "a"], "t": [1, "x", true]}'], PREPARED);
  const row = (await client.execute('SELECT JSON id, s, t, l FROM nested WHERE id=6')).first().get(0);
  equal(JSON.parse(row), { id: 6, s: ['a', 'b'], t: [1, 'x', true], l: null });
}

const SCALARS = {
  ascii: ['', '~'],
  bigint: [types.Long.MIN_VALUE, types.Long.MAX_VALUE],
  blob: [Buffer.alloc(0), Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  boolean: [false, true],
  date: [new types.LocalDate(1969, 12, 31), new types.LocalDate(9999, 12, 31)],
  decimal: ['-0.00000000000000000001', '12345678901234567890.123456789012345678'].map(types.BigDecimal.fromString),
  double: [-1.7976931348623157e308, 0.1],
  float: [-1.5, 16777216],
  inet: ['127.0.0.1', '2001:db8::1'].map(types.InetAddress.fromString),
  int: [-(2 ** 31), 2 ** 31 - 1],
  smallint: [-(2 ** 15), 2 ** 15 - 1],
  text: ['', 'héllo ✓ 🦀'],
  time: ['00:00:00', '23:59:59.999999999'].map(types.LocalTime.fromString),
  timestamp: [new Date(-1), new Date('2026-01-01T12:00:00.001Z')],
  timeuuid: [types.TimeUuid.fromString('00000000-0000-1000-8080-808080808080'), types.TimeUuid.now()],
  tinyint: [-128, 127],
  uuid: [types.Uuid.fromString('00000000-0000-0000-0000-000000000000'), types.Uuid.random()],
  varchar: ['', 'x'.repeat(1000)],
  varint: [`-1${'0'.repeat(37)}`, '9'.repeat(38)].map((text) => types.Integer.fromString(text)),
};

async function everyType(client) {
  const names = Object.keys(SCALARS);
  const columns = names.map((name) => `v_${name}`).join();
  const markers = names.map(() => '?').join();
  for (const i of [0, 1]) {
    const values = names.map((name) => SCALARS[name][i]);
    await client.execute(`INSERT INTO scalars (id, ${columns}) VALUES (?, ${markers})`, [i, ...values], PREPARED);
    for (const options of [{}, PREPARED]) {
      const row = (await client.execute(`SELECT ${columns} FROM scalars WHERE id=${i}`, [], options)).first();
      names.forEach((name, at) => equal(row.get(at), values[at], name));
    }
  }
  for (const [step, wanted] of [[2 ** 40, 2 ** 40], [-3, 2 ** 40 - 3]]) {
    await client.execute('UPDATE counters SET n = n + ? WHERE id = 1', [types.Long.fromNumber(step)], PREPARED);
    const row = (await client.execute('SELECT n FROM counters WHERE id=1')).first();
    equal(row.n, types.Long.fromNumber(wanted), 'counter');
  }
}

async function afterAlter(client) {
  const run = (query, values) => client.execute(query, values, PREPARED);
  const insert = (id, name) => run('INSERT INTO altered (id, name) VALUES (?, ?)', [id, name]);
  const star = async (id) => (await run('SELECT * FROM altered WHERE id = ?', [id])).first();
  const named = async (id) => (await run('SELECT id, name FROM altered WHERE id = ?', [id])).first();
  await insert(50, 'before');
  equal(await star(50), { id: 50, name: 'before' });
  equal(await named(50), { id: 50, name: 'before' });
  await client.execute('ALTER TABLE altered ADD email text');
  await active(client, 'altered');
  await insert(51, 'after');
  await client.execute("UPDATE altered SET email = 'a@b' WHERE id = 51");
  for (const [id, name] of [[50, 'before'], [51, 'after']]) {
    equal(await named(id), { id, name }, 'the named columns');
    const row = await star(id);
    equal({ id: row.id, name: row.name }, { id, name }, 'SELECT *');
  }
}

const CHECKS = {
  'wrong secret': () => refused('Invalid signature', { secret: 'x'.repeat(40) }),
  'wrong Region': () => refused('Invalid signature', { region: 'eu-west-1' }),
  'unknown CA': () => refused('self-signed certificate in certificate chain', { ca: process.env.KS_OTHER_CA }),
  password: async () => {
    const other = await connect({ authProvider: new cassandra.auth.PlainTextAuthProvider(KEY.user, KEY.password) });
    equal((await other.execute('SELECT key FROM system.local')).first().key, 'local');
    await other.shutdown();
  },
  'create and await': create,
  'schema metadata': metadata,
  'simple statements': simple,
  'prepared statements': prepared,
  LIMIT: limit,
  pages,
  'conditional writes': conditional,
  batches,
  collections,
  'user-defined types': userTypes,
  tuples,
  'null and unset': nullAndUnset,
  JSON: inJson,
  'every type': everyType,
  'prepared before ALTER TABLE': afterAlter,
};

async function main() {
  const client = await connect();
  equal((await client.execute('SELECT cluster_name FROM system.local')).first().cluster_name, 'Amazon Keyspaces');
  console.log('ok connect');
  let failed = false;
  for (const [name, check] of Object.entries(CHECKS)) {
    try {
      await check(client);
      console.log(`ok ${name}`);
    } catch (error) {
      failed = true;
      console.log(`failed ${name}: ${error}`.replaceAll('\n', ' '));
    }
  }
  await client.execute(`DROP KEYSPACE ${KEYSPACE}`);
  await client.shutdown();
  process.exitCode = failed ? 1 : 0;
}

main();
