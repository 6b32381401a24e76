"""The checks of the AWS SDKs in ../README.md, with boto3."""
import json
import math
import os
import sys
import time
from datetime import datetime, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError

from checks import run

READY = json.load(open(os.environ["KS_READY"]))
KEYSPACE = os.environ["KS_KEYSPACE"]
REGION = READY["region"]
ARN = f"arn:aws:cassandra:{REGION}:111122223333:/keyspace/{KEYSPACE}/"
EVENTS = {"keyspaceName": KEYSPACE, "tableName": "events"}


def connect(ready=READY, who="credentials", **other):
    key = ready[who]
    settings = {
        "endpoint_url": ready["control_plane"], "region_name": REGION, "verify": ready["ca"],
        "aws_access_key_id": key["access_key"], "aws_secret_access_key": key["secret_key"],
        "aws_session_token": key["session_token"],
    }
    return boto3.client("keyspaces", **settings | other)


def equal(found, wanted, what="the value"):
    if found != wanted:
        raise AssertionError(f"{what} is {found!r}, not {wanted!r}"[:600])


def awaited(ask, wanted):
    deadline = time.monotonic() + 60
    while (seen := ask()) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen!r} instead of {wanted!r} after 60 s")
        time.sleep(0.2)


def refused(code, text, call):
    """Returns the error after checking its code and message."""
    try:
        call()
    except ClientError as error:
        said = error.response["Error"]
        equal(said["Code"], code, "the code")
        if text not in said["Message"]:
            raise AssertionError(f"{text!r} is not in {said['Message']!r}") from None
        return error
    raise AssertionError(f"no {code}")


def unknown_ca(_):
    keyspaces = connect(verify=os.environ["KS_OTHER_CA"], config=Config(retries={"total_max_attempts": 1}))
    try:
        keyspaces.list_keyspaces()
    except SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return
        raise
    raise AssertionError("it was trusted")


def wrong_secret(_):
    keyspaces = connect(aws_secret_access_key="x" * 40)
    refused("InvalidSignatureException", "does not match", keyspaces.list_keyspaces)


def unknown_key(_):
    keyspaces = connect(aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    refused("UnrecognizedClientException", "security token", keyspaces.list_keyspaces)


def wrong_region(_):
    keyspaces = connect(region_name="eu-west-1")
    refused("InvalidSignatureException", "'eu-west-1'", keyspaces.list_keyspaces)


def found(keyspaces, name=KEYSPACE):
    """GetKeyspace shows no status. A keyspace that is found can be used."""
    try:
        return keyspaces.get_keyspace(keyspaceName=name)["keyspaceName"] == name
    except keyspaces.exceptions.ResourceNotFoundException:
        return False


def keyspace(keyspaces):
    made = keyspaces.create_keyspace(keyspaceName=KEYSPACE, tags=[{"key": "team", "value": "shop"}])
    equal(made["resourceArn"], ARN)
    awaited(lambda: found(keyspaces), True)
    shown = keyspaces.get_keyspace(keyspaceName=KEYSPACE)
    equal((shown["resourceArn"], shown["replicationStrategy"]), (ARN, "SINGLE_REGION"))


def regions(keyspaces):
    name = f"{KEYSPACE}_regions"
    keyspaces.create_keyspace(keyspaceName=name)
    awaited(lambda: found(keyspaces, name), True)
    keyspaces.update_keyspace(
        keyspaceName=name,
        replicationSpecification={"replicationStrategy": "MULTI_REGION", "regionList": [REGION, "eu-west-1"]},
        clientSideTimestamps={"status": "ENABLED"},
    )

    def statuses():
        groups = keyspaces.get_keyspace(keyspaceName=name).get("replicationGroupStatuses", [])
        return sorted((group["region"], group["keyspaceStatus"]) for group in groups)

    awaited(statuses, sorted([("eu-west-1", "ACTIVE"), (REGION, "ACTIVE")]))
    keyspaces.delete_keyspace(keyspaceName=name)
    awaited(lambda: found(keyspaces, name), False)


def user_type(keyspaces):
    fields = [{"name": "street", "type": "text"}, {"name": "number", "type": "int"}]
    keyspaces.create_type(keyspaceName=KEYSPACE, typeName="address", fieldDefinitions=fields)
    awaited(lambda: keyspaces.get_type(keyspaceName=KEYSPACE, typeName="address")["status"], "ACTIVE")
    shown = keyspaces.get_type(keyspaceName=KEYSPACE, typeName="address")
    equal(shown["fieldDefinitions"], fields)
    equal(keyspaces.list_types(keyspaceName=KEYSPACE)["types"], ["address"])


def status(keyspaces, table):
    try:
        return keyspaces.get_table(keyspaceName=KEYSPACE, tableName=table)["status"]
    except keyspaces.exceptions.ResourceNotFoundException:
        return "gone"


def create(keyspaces):
    columns = {"device_id": "text", "at": "timestamp", "payload": "map<text, text>", "label": "text", "home": "frozen<address>"}
    units = {"minimumUnits": 5, "maximumUnits": 10}
    target = {"targetTrackingScalingPolicyConfiguration": {"targetValue": 60.0, "scaleOutCooldown": 30}}
    made = keyspaces.create_table(
        **EVENTS,
        schemaDefinition={
            "allColumns": [{"name": name, "type": type} for name, type in columns.items()],
            "partitionKeys": [{"name": "device_id"}],
            "clusteringKeys": [{"name": "at", "orderBy": "DESC"}],
            "staticColumns": [{"name": "label"}],
        },
        comment={"message": "what devices send"},
        capacitySpecification={"throughputMode": "PROVISIONED", "readCapacityUnits": 5, "writeCapacityUnits": 6},
        autoScalingSpecification={"readCapacityAutoScaling": units | {"scalingPolicy": target}},
        pointInTimeRecovery={"status": "ENABLED"},
        clientSideTimestamps={"status": "ENABLED"},
        defaultTimeToLive=86400,
        tags=[{"key": "team", "value": "shop"}],
    )
    equal(made["resourceArn"], f"{ARN}table/events")
    awaited(lambda: status(keyspaces, "events"), "ACTIVE")


def describe(keyspaces):
    shown = keyspaces.get_table(**EVENTS)
    schema = shown["schemaDefinition"]
    columns = {column["name"]: column["type"] for column in schema["allColumns"]}
    equal(columns, {
        "device_id": "text", "at": "timestamp", "payload": "map<text, text>", "label": "text", "home": "frozen<address>",
    })
    equal(schema["partitionKeys"], [{"name": "device_id"}])
    equal(schema["clusteringKeys"], [{"name": "at", "orderBy": "DESC"}])
    equal(schema["staticColumns"], [{"name": "label"}])
    equal(shown["comment"], {"message": "what devices send"})
    capacity = {"throughputMode": "PROVISIONED", "readCapacityUnits": 5, "writeCapacityUnits": 6}
    equal(shown["capacitySpecification"], capacity)
    equal(shown["pointInTimeRecovery"]["status"], "ENABLED")
    equal((shown["ttl"]["status"], shown["defaultTimeToLive"]), ("ENABLED", 86400))
    equal(shown["clientSideTimestamps"], {"status": "ENABLED"})
    equal(shown["encryptionSpecification"], {"type": "AWS_OWNED_KMS_KEY"})
    age = datetime.now(timezone.utc) - shown["creationTimestamp"]
    equal(0 <= age.total_seconds() < 600, True, f"that it was created {age} ago")
    scaling = keyspaces.get_table_auto_scaling_settings(**EVENTS)["autoScalingSpecification"]["readCapacityAutoScaling"]
    policy = scaling["scalingPolicy"]["targetTrackingScalingPolicyConfiguration"]
    equal((scaling["minimumUnits"], scaling["maximumUnits"], policy["targetValue"]), (5, 10, 60.0))
    equal(keyspaces.get_type(keyspaceName=KEYSPACE, typeName="address")["directReferringTables"], ["events"])


def tags(keyspaces):
    arn = f"{ARN}table/events"

    def pages():
        pages = keyspaces.get_paginator("list_tags_for_resource").paginate(resourceArn=arn, PaginationConfig={"PageSize": 1})
        return [{tag["key"]: tag["value"] for tag in page["tags"]} for page in pages]

    keyspaces.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}])
    awaited(pages, [{"stage": "test"}, {"team": "shop"}])
    awaited(lambda: status(keyspaces, "events"), "ACTIVE")
    keyspaces.untag_resource(resourceArn=arn, tags=[{"key": "team", "value": "shop"}])
    awaited(pages, [{"stage": "test"}])
    awaited(lambda: status(keyspaces, "events"), "ACTIVE")
    equal(keyspaces.list_tags_for_resource(resourceArn=ARN)["tags"], [{"key": "team", "value": "shop"}])


def alter(keyspaces):
    def columns():
        return [column["name"] for column in keyspaces.get_table(**EVENTS)["schemaDefinition"]["allColumns"]]

    keyspaces.update_table(**EVENTS, addColumns=[{"name": "severity", "type": "int"}])
    # At first, the table is still ACTIVE and lacks the column.
    awaited(lambda: "severity" in columns(), True)
    awaited(lambda: status(keyspaces, "events"), "ACTIVE")
    keyspaces.update_table(**EVENTS, capacitySpecification={"throughputMode": "PAY_PER_REQUEST"})
    awaited(lambda: status(keyspaces, "events"), "ACTIVE")
    equal(keyspaces.get_table(**EVENTS)["capacitySpecification"]["throughputMode"], "PAY_PER_REQUEST")


def restore(keyspaces):
    earliest = keyspaces.get_table(**EVENTS)["pointInTimeRecovery"]["earliestRestorableTimestamp"]
    # Timestamps are sent in whole seconds.
    moment = math.ceil(earliest.timestamp())
    awaited(lambda: time.time() > moment, True)
    source = {"sourceKeyspaceName": KEYSPACE, "sourceTableName": "events"}
    restored = keyspaces.restore_table(
        **source,
        targetKeyspaceName=KEYSPACE,
        targetTableName="restored",
        restoreTimestamp=datetime.fromtimestamp(moment, timezone.utc),
        capacitySpecificationOverride={"throughputMode": "PAY_PER_REQUEST"},
        pointInTimeRecoveryOverride={"status": "DISABLED"},
        tagsOverride=[{"key": "of", "value": "events"}],
    )
    equal(restored["restoredTableARN"], f"{ARN}table/restored")
    awaited(lambda: status(keyspaces, "restored"), "ACTIVE")
    shown = keyspaces.get_table(keyspaceName=KEYSPACE, tableName="restored")
    equal(shown["capacitySpecification"]["throughputMode"], "PAY_PER_REQUEST")
    equal(shown["pointInTimeRecovery"]["status"], "DISABLED")
    too_early = datetime(2026, 2, 10, 15, 30, tzinfo=timezone.utc)
    target = {"targetKeyspaceName": KEYSPACE, "targetTableName": "too_early"}
    refused(
        "ValidationException", "cannot be restored",
        lambda: keyspaces.restore_table(**source, **target, restoreTimestamp=too_early),
    )


def small_table(keyspaces, name, **other):
    schema = {"allColumns": [{"name": "id", "type": "text"}], "partitionKeys": [{"name": "id"}]}
    return keyspaces.create_table(keyspaceName=KEYSPACE, tableName=name, schemaDefinition=schema, **other)


def pages(keyspaces):
    for name in ["t1", "t2", "t3"]:
        small_table(keyspaces, name)
    for name in ["t1", "t2", "t3"]:
        awaited(lambda: status(keyspaces, name), "ACTIVE")
    listed = keyspaces.get_paginator("list_tables").paginate(keyspaceName=KEYSPACE, PaginationConfig={"PageSize": 2})
    names = [[table["tableName"] for table in page["tables"]] for page in listed]
    equal(names, [["events", "restored"], ["t1", "t2"], ["t3"]])
    listed = keyspaces.get_paginator("list_keyspaces").paginate(PaginationConfig={"PageSize": 1})
    names = [keyspace["keyspaceName"] for page in listed for keyspace in page["keyspaces"]]
    equal(names.count(KEYSPACE), 1)


def validation(keyspaces):
    refused("ValidationException", "failed to satisfy constraint", lambda: small_table(keyspaces, "two words"))


def conflict(keyspaces):
    refused("ConflictException", "existing keyspace", lambda: keyspaces.create_keyspace(keyspaceName=KEYSPACE))


def not_found(keyspaces):
    arguments = {"keyspaceName": KEYSPACE, "tableName": "nosuch"}
    error = refused("ResourceNotFoundException", f"{KEYSPACE}.nosuch", lambda: keyspaces.get_table(**arguments))
    equal(error.response["resourceArn"], f"{ARN}table/nosuch")


def quota(keyspaces):
    units = {"throughputMode": "PROVISIONED", "readCapacityUnits": 40_001, "writeCapacityUnits": 1}
    refused(
        "ServiceQuotaExceededException", "40000 units", lambda: small_table(keyspaces, "big", capacitySpecification=units)
    )


def access_denied(_):
    keyspaces = connect(who="without_permissions")
    refused("AccessDeniedException", "not authorized to perform: cassandra:Select", keyspaces.list_keyspaces)


def internal(_):
    keyspaces = connect(ready=json.load(open(os.environ["KS_BROKEN"])))
    error = refused("InternalServerException", "", lambda: keyspaces.create_keyspace(keyspaceName=KEYSPACE))
    equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 500)


def delete(keyspaces):
    tables = ["events", "restored", "t1", "t2", "t3"]
    for table in tables:
        keyspaces.delete_table(keyspaceName=KEYSPACE, tableName=table)
    for table in tables:
        awaited(lambda: status(keyspaces, table), "gone")
    keyspaces.delete_type(keyspaceName=KEYSPACE, typeName="address")
    awaited(lambda: keyspaces.list_types(keyspaceName=KEYSPACE)["types"], [])
    keyspaces.delete_keyspace(keyspaceName=KEYSPACE)
    awaited(lambda: found(keyspaces), False)


CHECKS = {
    "unknown CA": unknown_ca,
    "wrong secret": wrong_secret,
    "unknown key": unknown_key,
    "wrong Region": wrong_region,
    "keyspace": keyspace,
    "Regions": regions,
    "user-defined type": user_type,
    "create and await": create,
    "describe": describe,
    "tags": tags,
    "alter": alter,
    "restore": restore,
    "pages": pages,
    "ValidationException": validation,
    "ConflictException": conflict,
    "ResourceNotFoundException": not_found,
    "ServiceQuotaExceededException": quota,
    "AccessDeniedException": access_denied,
    "InternalServerException": internal,
    "delete": delete,
}


def main():
    sys.exit(run(CHECKS, connect()))


main()
