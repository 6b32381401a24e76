"""read.py KEYSPACE TABLE START END: prints the metrics of a table that boto3 reads. Times are in seconds since 1970."""

import datetime
import json
import sys

import boto3

keyspace, table, start, end = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
of_table = [{"Name": "Keyspace", "Value": keyspace}, {"Name": "TableName", "Value": table}]
operations = ["SELECT", "INSERT", "UPDATE", "DELETE", "BATCH"]
wanted = [
    *(("SuccessfulRequestCount", "SuccessfulRequestCount", "SampleCount", operation) for operation in operations),
    *(("ThrottleEvents", "ReadThrottleEvents", "Sum", operation) for operation in operations),
    *(("ThrottleEvents", "WriteThrottleEvents", "Sum", operation) for operation in operations),
    *(("SystemErrors", "SystemErrors", "Sum", operation) for operation in operations),
    *((name, name, "Sum", None) for name in (
        "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ConditionalCheckFailedRequests")),
]


def query(number, name, statistic, operation):
    dimensions = of_table + ([{"Name": "Operation", "Value": operation}] if operation else [])
    metric = {"Namespace": "AWS/Cassandra", "MetricName": name, "Dimensions": dimensions}
    return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}


results = boto3.client("cloudwatch").get_metric_data(
    MetricDataQueries=[query(number, *asked[1:]) for number, asked in enumerate(wanted)],
    StartTime=datetime.datetime.fromtimestamp(start, datetime.timezone.utc),
    EndTime=datetime.datetime.fromtimestamp(end, datetime.timezone.utc),
)["MetricDataResults"]
totals = {}
for result in results:
    total = wanted[int(result["Id"][1:])][0]
    totals[total] = totals.get(total, 0) + sum(result["Values"])
print(json.dumps(totals))
