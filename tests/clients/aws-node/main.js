'use strict';
// The checks of the AWS SDKs in ../README.md, with the AWS SDK for JavaScript v3.

const sdk = require('@aws-sdk/client-keyspaces');
const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect, isDeepStrictEqual } = require('node:util');

const READY = JSON.parse(fs.readFileSync(process.env.KS_READY));
const KEYSPACE = process.env.KS_KEYSPACE;
const REGION = READY.region;
const ARN = `arn:aws:cassandra:${REGION}:111122223333:/keyspace/${KEYSPACE}/`;
const EVENTS = { keyspaceName: KEYSPACE, tableName: 'events' };

function connect({ ready = READY, who = 'credentials', region = REGION, ca = ready.ca, maxAttempts, ...key } = {}) {
  const credentials = {
    accessKeyId: ready[who].access_key,
    secretAccessKey: ready[who].secret_key,
    sessionToken: ready[who].session_token ?? undefined,
    ...key,
  };
  const requestHandler = { httpsAgent: { ca: fs.readFileSync(ca) } };
  return new sdk.Keyspaces({ endpoint: ready.control_plane, region, credentials, requestHandler, maxAttempts });
}

function equal(found, wanted, what = 'the value') {
  if (!isDeepStrictEqual(found, wanted)) {
    throw new Error(`${what} is ${inspect(found)}, not ${inspect(wanted)}`.slice(0, 600));
  }
}

async function awaited(ask, wanted) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const seen = await ask();
    if (isDeepStrictEqual(seen, wanted)) return;
    if (Date.now() > deadline) throw new Error(`${inspect(seen)} instead of ${inspect(wanted)} after 60 s`);
    await sleep(200);
  }
}

/** Returns the error after checking its name and message. Each error of the service model has its own class. */
async function refused(name, text, promise) {
  const error = await promise.then(
    () => {
      throw new Error(`no ${name}`);
    },
    (error) => error,
  );
  if (!(error instanceof sdk.KeyspacesServiceException)) throw error;
  equal(error.name, name, 'the name');
  if (name in sdk) equal(error instanceof sdk[name], true, `that it is an instance of ${name}`);
  if (!error.message.includes(text)) throw new Error(`${inspect(text)} is not in ${inspect(error.message)}`);
  return error;
}

async function unknownCa() {
  try {
    await connect({ ca: process.env.KS_OTHER_CA, maxAttempts: 1 }).listKeyspaces({});
  } catch (error) {
    if (/certificate/.test(error.message)) return;
    throw error;
  }
  throw new Error('it was trusted');
}

async function wrongSecret() {
  const keyspaces = connect({ secretAccessKey: 'x'.repeat(40) });
  await refused('InvalidSignatureException', 'does not match', keyspaces.listKeyspaces({}));
}

async function unknownKey() {
  const keyspaces = connect({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE' });
  await refused('UnrecognizedClientException', 'security token', keyspaces.listKeyspaces({}));
}

async function wrongRegion() {
  await refused('InvalidSignatureException', "'eu-west-1'", connect({ region: 'eu-west-1' }).listKeyspaces({}));
}

/** GetKeyspace shows no status. A keyspace that is found can be used. */
async function found(keyspaces, keyspaceName = KEYSPACE) {
  try {
    return (await keyspaces.getKeyspace({ keyspaceName })).keyspaceName === keyspaceName;
  } catch (error) {
    if (error instanceof sdk.ResourceNotFoundException) return false;
    throw error;
  }
}

async function keyspace(keyspaces) {
  const made = await keyspaces.createKeyspace({ keyspaceName: KEYSPACE, tags: [{ key: 'team', value: 'shop' }] });
  equal(made.resourceArn, ARN);
  await awaited(() => found(keyspaces), true);
  const shown = await keyspaces.getKeyspace({ keyspaceName: KEYSPACE });
  equal([shown.resourceArn, shown.replicationStrategy], [ARN, 'SINGLE_REGION']);
}

async function regions(keyspaces) {
  const keyspaceName = `${KEYSPACE}_regions`;
  await keyspaces.createKeyspace({ keyspaceName });
  await awaited(() => found(keyspaces, keyspaceName), true);
  await keyspaces.updateKeyspace({
    keyspaceName,
    replicationSpecification: { replicationStrategy: 'MULTI_REGION', regionList: [REGION, 'eu-west-1'] },
    clientSideTimestamps: { status: 'ENABLED' },
  });
  const statuses = async () => {
    const groups = (await keyspaces.getKeyspace({ keyspaceName })).replicationGroupStatuses ?? [];
    return groups.map((group) => `${group.region} ${group.keyspaceStatus}`).sort();
  };
  await awaited(statuses, [`${REGION} ACTIVE`, 'eu-west-1 ACTIVE'].sort());
  await keyspaces.deleteKeyspace({ keyspaceName });
  await awaited(() => found(keyspaces, keyspaceName), false);
}

async function userType(keyspaces) {
  const fieldDefinitions = [
    { name: 'street', type: 'text' },
    { name: 'number', type: 'int' },
  ];
  const address = { keyspaceName: KEYSPACE, typeName: 'address' };
  await keyspaces.createType({ ...address, fieldDefinitions });
  await awaited(async () => (await keyspaces.getType(address)).status, 'ACTIVE');
  equal((await keyspaces.getType(address)).fieldDefinitions, fieldDefinitions);
  equal((await keyspaces.listTypes({ keyspaceName: KEYSPACE })).types, ['address']);
}

async function status(keyspaces, tableName) {
  try {
    return (await keyspaces.getTable({ keyspaceName: KEYSPACE, tableName })).status;
  } catch (error) {
    if (error instanceof sdk.ResourceNotFoundException) return 'gone';
    throw error;
  }
}

const COLUMNS = [
  { name: 'device_id', type: 'text' },
  { name: 'at', type: 'timestamp' },
  { name: 'payload', type: 'map<text, text>' },
  { name: 'label', type: 'text' },
  { name: 'home', type: 'frozen<address>' },
];

async function create(keyspaces) {
  const target = { targetTrackingScalingPolicyConfiguration: { targetValue: 60, scaleOutCooldown: 30 } };
  const made = await keyspaces.createTable({
    ...EVENTS,
    schemaDefinition: {
      allColumns: COLUMNS,
      partitionKeys: [{ name: 'device_id' }],
      clusteringKeys: [{ name: 'at', orderBy: 'DESC' }],
      staticColumns: [{ name: 'label' }],
    },
    comment: { message: 'what devices send' },
    capacitySpecification: { throughputMode: 'PROVISIONED', readCapacityUnits: 5, writeCapacityUnits: 6 },
    autoScalingSpecification: { readCapacityAutoScaling: { minimumUnits: 5, maximumUnits: 10, scalingPolicy: target } },
    pointInTimeRecovery: { status: 'ENABLED' },
    clientSideTimestamps: { status: 'ENABLED' },
    defaultTimeToLive: 86_400,
    tags: [{ key: 'team', value: 'shop' }],
  });
  equal(made.resourceArn, `${ARN}table/events`);
  await awaited(() => status(keyspaces, 'events'), 'ACTIVE');
}

async function describe(keyspaces) {
  const shown = await keyspaces.getTable(EVENTS);
  const schema = shown.schemaDefinition;
  const sorted = (columns) => columns.map(({ name, type }) => `${name} ${type}`).sort();
  equal(sorted(schema.allColumns), sorted(COLUMNS));
  equal(schema.partitionKeys, [{ name: 'device_id' }]);
  equal(schema.clusteringKeys, [{ name: 'at', orderBy: 'DESC' }]);
  equal(schema.staticColumns, [{ name: 'label' }]);
  equal(shown.comment, { message: 'what devices send' });
  const { throughputMode, readCapacityUnits, writeCapacityUnits } = shown.capacitySpecification;
  equal([throughputMode, readCapacityUnits, writeCapacityUnits], ['PROVISIONED', 5, 6]);
  equal(shown.pointInTimeRecovery.status, 'ENABLED');
  equal([shown.ttl.status, shown.defaultTimeToLive], ['ENABLED', 86_400]);
  equal(shown.clientSideTimestamps, { status: 'ENABLED' });
  equal(shown.encryptionSpecification, { type: 'AWS_OWNED_KMS_KEY' });
  const age = Date.now() - shown.creationTimestamp;
  equal(age >= 0 && age < 600_000, true, `that it was created ${age} ms ago`);
  const { autoScalingSpecification } = await keyspaces.getTableAutoScalingSettings(EVENTS);
  const { minimumUnits, maximumUnits, scalingPolicy } = autoScalingSpecification.readCapacityAutoScaling;
  const { targetValue } = scalingPolicy.targetTrackingScalingPolicyConfiguration;
  equal([minimumUnits, maximumUnits, targetValue], [5, 10, 60]);
  const address = await keyspaces.getType({ keyspaceName: KEYSPACE, typeName: 'address' });
  equal(address.directReferringTables, ['events']);
}

async function tags(keyspaces) {
  const resourceArn = `${ARN}table/events`;
  const pages = async () => {
    const pages = [];
    for await (const page of sdk.paginateListTagsForResource({ client: keyspaces, pageSize: 1 }, { resourceArn })) {
      pages.push(page.tags.map(({ key, value }) => `${key}=${value}`));
    }
    return pages;
  };
  await keyspaces.tagResource({ resourceArn, tags: [{ key: 'stage', value: 'test' }] });
  await awaited(pages, [['stage=test'], ['team=shop']]);
  await awaited(() => status(keyspaces, 'events'), 'ACTIVE');
  await keyspaces.untagResource({ resourceArn, tags: [{ key: 'team', value: 'shop' }] });
  await awaited(pages, [['stage=test']]);
  await awaited(() => status(keyspaces, 'events'), 'ACTIVE');
  equal((await keyspaces.listTagsForResource({ resourceArn: ARN })).tags, [{ key: 'team', value: 'shop' }]);
}

async function alter(keyspaces) {
  const hasColumn = async () => {
    const { schemaDefinition } = await keyspaces.getTable(EVENTS);
    return schemaDefinition.allColumns.some(({ name }) => name === 'severity');
  };
  await keyspaces.updateTable({ ...EVENTS, addColumns: [{ name: 'severity', type: 'int' }] });
  // At first, the table is still ACTIVE and lacks the column.
  await awaited(hasColumn, true);
  await awaited(() => status(keyspaces, 'events'), 'ACTIVE');
  await keyspaces.updateTable({ ...EVENTS, capacitySpecification: { throughputMode: 'PAY_PER_REQUEST' } });
  await awaited(() => status(keyspaces, 'events'), 'ACTIVE');
  equal((await keyspaces.getTable(EVENTS)).capacitySpecification.throughputMode, 'PAY_PER_REQUEST');
}

async function restore(keyspaces) {
  const earliest = (await keyspaces.getTable(EVENTS)).pointInTimeRecovery.earliestRestorableTimestamp;
  const moment = new Date(Math.ceil(earliest / 1000) * 1000);
  await awaited(() => new Date() > moment, true);
  const source = { sourceKeyspaceName: KEYSPACE, sourceTableName: 'events', targetKeyspaceName: KEYSPACE };
  const restored = await keyspaces.restoreTable({
    ...source,
    targetTableName: 'restored',
    restoreTimestamp: moment,
    capacitySpecificationOverride: { throughputMode: 'PAY_PER_REQUEST' },
    pointInTimeRecoveryOverride: { status: 'DISABLED' },
    tagsOverride: [{ key: 'of', value: 'events' }],
  });
  equal(restored.restoredTableARN, `${ARN}table/restored`);
  await awaited(() => status(keyspaces, 'restored'), 'ACTIVE');
  const shown = await keyspaces.getTable({ keyspaceName: KEYSPACE, tableName: 'restored' });
  equal(shown.capacitySpecification.throughputMode, 'PAY_PER_REQUEST');
  equal(shown.pointInTimeRecovery.status, 'DISABLED');
  const tooEarly = { ...source, targetTableName: 'too_early', restoreTimestamp: new Date('2026-02-10T15:30:00Z') };
  await refused('ValidationException', 'cannot be restored', keyspaces.restoreTable(tooEarly));
}

function smallTable(keyspaces, tableName, other) {
  const schemaDefinition = { allColumns: [{ name: 'id', type: 'text' }], partitionKeys: [{ name: 'id' }] };
  return keyspaces.createTable({ keyspaceName: KEYSPACE, tableName, schemaDefinition, ...other });
}

async function pages(keyspaces) {
  const small = ['t1', 't2', 't3'];
  for (const name of small) await smallTable(keyspaces, name);
  for (const name of small) await awaited(() => status(keyspaces, name), 'ACTIVE');
  const tables = [];
  const input = { keyspaceName: KEYSPACE };
  for await (const page of sdk.paginateListTables({ client: keyspaces, pageSize: 2 }, input)) {
    tables.push(page.tables.map((table) => table.tableName));
  }
  equal(tables, [['events', 'restored'], ['t1', 't2'], ['t3']]);
  const names = [];
  for await (const page of sdk.paginateListKeyspaces({ client: keyspaces, pageSize: 1 }, {})) {
    names.push(...page.keyspaces.map((keyspace) => keyspace.keyspaceName));
  }
  equal(names.filter((name) => name === KEYSPACE).length, 1);
}

async function validation(keyspaces) {
  await refused('ValidationException', 'failed to satisfy constraint', smallTable(keyspaces, 'two words'));
}

async function conflict(keyspaces) {
  await refused('ConflictException', 'existing keyspace', keyspaces.createKeyspace({ keyspaceName: KEYSPACE }));
}

async function notFound(keyspaces) {
  const nosuch = { keyspaceName: KEYSPACE, tableName: 'nosuch' };
  const error = await refused('ResourceNotFoundException', `${KEYSPACE}.nosuch`, keyspaces.getTable(nosuch));
  equal(error.resourceArn, `${ARN}table/nosuch`);
}

async function quota(keyspaces) {
  const units = { throughputMode: 'PROVISIONED', readCapacityUnits: 40_001, writeCapacityUnits: 1 };
  const made = smallTable(keyspaces, 'big', { capacitySpecification: units });
  await refused('ServiceQuotaExceededException', '40000 units', made);
}

async function accessDenied() {
  const listed = connect({ who: 'without_permissions' }).listKeyspaces({});
  await refused('AccessDeniedException', 'not authorized to perform: cassandra:Select', listed);
}

async function internal() {
  const keyspaces = connect({ ready: JSON.parse(fs.readFileSync(process.env.KS_BROKEN)) });
  const made = keyspaces.createKeyspace({ keyspaceName: KEYSPACE });
  const error = await refused('InternalServerException', '', made);
  equal(error.$metadata.httpStatusCode, 500);
}

async function remove(keyspaces) {
  const tables = ['events', 'restored', 't1', 't2', 't3'];
  for (const tableName of tables) await keyspaces.deleteTable({ keyspaceName: KEYSPACE, tableName });
  for (const tableName of tables) await awaited(() => status(keyspaces, tableName), 'gone');
  await keyspaces.deleteType({ keyspaceName: KEYSPACE, typeName: 'address' });
  await awaited(async () => (await keyspaces.listTypes({ keyspaceName: KEYSPACE })).types, []);
  await keyspaces.deleteKeyspace({ keyspaceName: KEYSPACE });
  await awaited(() => found(keyspaces), false);
}

const CHECKS = {
  'unknown CA': unknownCa,
  'wrong secret': wrongSecret,
  'unknown key': unknownKey,
  'wrong Region': wrongRegion,
  keyspace,
  Regions: regions,
  'user-defined type': userType,
  'create and await': create,
  describe,
  tags,
  alter,
  restore,
  pages,
  ValidationException: validation,
  ConflictException: conflict,
  ResourceNotFoundException: notFound,
  ServiceQuotaExceededException: quota,
  AccessDeniedException: accessDenied,
  InternalServerException: internal,
  delete: remove,
};

async function main() {
  const keyspaces = connect();
  for (const [name, check] of Object.entries(CHECKS)) {
    try {
      await check(keyspaces);
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`failed ${name}: ${error.name}: ${error.message}`.replaceAll('\n', ' '));
    }
  }
}

main();
