"""main.py FOLDER: checks the tables in a CloudFormation template and a Terraform configuration with a linter and a schema,
creates them through the API as both tools would, and compares their descriptions with the templates. FOLDER has the installed
packages."""
import json
import os
import re
import subprocess
import sys
import time

import boto3

from checks import run
import terraform_schema

READY = json.load(open(os.environ["KS_READY"]))
HERE = os.path.dirname(__file__)
CLOUDFORMATION = os.path.join(HERE, "cloudformation.json")
TERRAFORM = os.path.join(HERE, "main.tf.json")
FOLDER = sys.argv[1]


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"it is {found!r}, not {wanted!r}"[:1500])


def lint(template):
    """Returns the rules of cfn-lint that a template violates."""
    program = [os.path.join(FOLDER, "bin/cfn-lint"), "--format", "json", "--regions", READY["region"], "--", template]
    return [fault["Rule"]["Id"] for fault in json.loads(subprocess.run(program, capture_output=True).stdout or "[]")]


def cfn_lint(_):
    equal(lint(CLOUDFORMATION), [])
    # cfn-lint does check the properties: it refuses a wrong one.
    wrong = json.load(open(CLOUDFORMATION))
    wrong["Resources"]["Events"]["Properties"]["BillingMode"]["Mode"] = "PAY_PER_REQUEST"
    path = os.path.join(FOLDER, "wrong.json")
    json.dump(wrong, open(path, "w"))
    equal(lint(path), ["E3030"])


def schema(_):
    resources = json.load(open(TERRAFORM))["resource"]
    for resource, named in resources.items():
        for document in named.values():
            equal(terraform_schema.check(FOLDER, resource, document), [])
    wrong = resources["aws_keyspaces_table"]["events"] | {"ttl": {"state": "ENABLED"}, "default_time_to_live": "1 day"}
    del wrong["table_name"]
    equal(terraform_schema.check(FOLDER, "aws_keyspaces_table", wrong), [
        "aws_keyspaces_table has no table_name",
        "aws_keyspaces_table.default_time_to_live is '1 day'",
        "aws_keyspaces_table.ttl has no status",
        "aws_keyspaces_table.ttl has no argument state",
    ])


def awaited(ask, wanted):
    deadline = time.monotonic() + 60
    while (seen := ask()) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen!r} instead of {wanted!r} after 60 s")
        time.sleep(0.2)


def made(keyspaces, keyspace, table):
    """Creates a keyspace and a table, returns the descriptions of the table, its scaling and its tags, and deletes both."""
    def found():
        try:
            return bool(keyspaces.get_keyspace(keyspaceName=keyspace["keyspaceName"]))
        except keyspaces.exceptions.ResourceNotFoundException:
            return False

    def status():
        try:
            return keyspaces.get_table(**name)["status"]
        except keyspaces.exceptions.ResourceNotFoundException:
            return "gone"

    name = {part: table[part] for part in ("keyspaceName", "tableName")}
    keyspaces.create_keyspace(**keyspace)
    awaited(found, True)
    arn = keyspaces.create_table(**table)["resourceArn"]
    awaited(status, "ACTIVE")
    shown = keyspaces.get_table(**name)
    scaling = keyspaces.get_table_auto_scaling_settings(**name).get("autoScalingSpecification", {})
    tags = keyspaces.list_tags_for_resource(resourceArn=arn)["tags"]
    keyspaces.delete_table(**name)
    awaited(status, "gone")
    keyspaces.delete_keyspace(keyspaceName=name["keyspaceName"])
    awaited(found, False)
    return shown, scaling, tags


def renamed(value, name):
    """Returns the document with its members renamed."""
    if isinstance(value, dict):
        return {name(member): renamed(value, name) for member, value in value.items()}
    return [renamed(value, name) for value in value] if isinstance(value, list) else value


def upper(name):
    return name[0].upper() + name[1:]


def lower(name):
    return name[0].lower() + name[1:]


def camel(name):
    return re.sub("_(.)", lambda letter: letter[1].upper(), name)


def snake(name):
    return re.sub("([A-Z])", lambda letter: "_" + letter[1].lower(), name)


def cloudformation(keyspaces):
    resources = {resource["Type"]: resource["Properties"] for resource in json.load(open(CLOUDFORMATION))["Resources"].values()}
    wanted = resources["AWS::Cassandra::Table"]
    partition, clustering = wanted["PartitionKeyColumns"], wanted["ClusteringKeyColumns"]
    columns = partition + [key["Column"] for key in clustering] + wanted["RegularColumns"]
    billing = wanted["BillingMode"]
    modes = {"PROVISIONED": "PROVISIONED", "ON_DEMAND": "PAY_PER_REQUEST"}
    table = {
        "keyspaceName": wanted["KeyspaceName"],
        "tableName": wanted["TableName"],
        "schemaDefinition": {
            "allColumns": [{"name": column["ColumnName"], "type": column["ColumnType"]} for column in columns],
            "partitionKeys": [{"name": column["ColumnName"]} for column in partition],
            "clusteringKeys": [{"name": key["Column"]["ColumnName"], "orderBy": key["OrderBy"]} for key in clustering],
        },
        "capacitySpecification": renamed(billing["ProvisionedThroughput"], lower) | {"throughputMode": modes[billing["Mode"]]},
        "autoScalingSpecification": renamed(wanted["AutoScalingSpecifications"], lower),
        "pointInTimeRecovery": {"status": "ENABLED" if wanted["PointInTimeRecoveryEnabled"] else "DISABLED"},
        "defaultTimeToLive": wanted["DefaultTimeToLive"],
        "encryptionSpecification": {"type": wanted["EncryptionSpecification"]["EncryptionType"]},
        "tags": renamed(wanted["Tags"], lower),
    }
    if wanted["ClientSideTimestampsEnabled"]:
        table["clientSideTimestamps"] = {"status": "ENABLED"}
    shown, scaling, tags = made(keyspaces, renamed(resources["AWS::Cassandra::Keyspace"], lower), table)
    schema, capacity = shown["schemaDefinition"], shown["capacitySpecification"]
    types = {column["name"]: {"ColumnName": column["name"], "ColumnType": column["type"]} for column in schema["allColumns"]}
    of_key = [key["name"] for key in schema["partitionKeys"] + schema["clusteringKeys"]]
    equal({
        "KeyspaceName": shown["keyspaceName"],
        "TableName": shown["tableName"],
        "PartitionKeyColumns": [types[key["name"]] for key in schema["partitionKeys"]],
        "ClusteringKeyColumns": [{"Column": types[key["name"]], "OrderBy": key["orderBy"]} for key in schema["clusteringKeys"]],
        "RegularColumns": [column for name, column in types.items() if name not in of_key],
        "BillingMode": {
            "Mode": {mode: name for name, mode in modes.items()}[capacity.pop("throughputMode")],
            "ProvisionedThroughput": renamed(capacity, upper),
        },
        "AutoScalingSpecifications": renamed(scaling, upper),
        "PointInTimeRecoveryEnabled": shown["pointInTimeRecovery"]["status"] == "ENABLED",
        "ClientSideTimestampsEnabled": shown["clientSideTimestamps"]["status"] == "ENABLED",
        "DefaultTimeToLive": shown["defaultTimeToLive"],
        "EncryptionSpecification": {"EncryptionType": shown["encryptionSpecification"]["type"]},
        "Tags": renamed(tags, upper),
    }, wanted)


def terraform(keyspaces):
    resources = json.load(open(TERRAFORM))["resource"]
    [keyspace], [wanted] = resources["aws_keyspaces_keyspace"].values(), resources["aws_keyspaces_table"].values()
    pairs = {"column": "all_columns", "partition_key": "partition_keys", "clustering_key": "clustering_keys",
             "static_column": "static_columns"}

    def tags(of):
        return [{"key": key, "value": value} for key, value in of["tags"].items()]

    definition = {pairs[block]: columns for block, columns in wanted["schema_definition"].items()}
    table = renamed(wanted | {"schema_definition": definition, "tags": tags(wanted)}, camel)
    keyspace = {
        "keyspaceName": keyspace["name"], "tags": tags(keyspace),
        "replicationSpecification": renamed(keyspace["replication_specification"], camel),
    }
    shown, _, tags_shown = made(keyspaces, keyspace, table)
    shown = renamed({camel(name): shown[camel(name)] for name in wanted if name != "tags"}, snake)
    shown["tags"] = {tag["key"]: tag["value"] for tag in tags_shown}
    shown["point_in_time_recovery"].pop("earliest_restorable_timestamp")
    shown["schema_definition"] = {block: shown["schema_definition"][name] for block, name in pairs.items()}
    # Columns are a set in Terraform.
    for definition in (shown, wanted):
        definition["schema_definition"]["column"].sort(key=lambda column: column["name"])
    equal(shown, wanted)


def main():
    key = READY["credentials"]
    keyspaces = boto3.client(
        "keyspaces", endpoint_url=READY["control_plane"], region_name=READY["region"], verify=READY["ca"],
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"],
        aws_session_token=key["session_token"],
    )
    checks = {
        "cfn-lint": cfn_lint,
        "AWS::Cassandra::Table": cloudformation,
        "schema of Terraform's provider": schema,
        "aws_keyspaces_table": terraform,
    }
    sys.exit(run(checks, keyspaces))


main()
