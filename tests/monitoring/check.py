"""Validates each document with botocore against the model of the service, and compares the documents with one another."""

import json
import pathlib
import sys

import botocore.session
from botocore.validate import ParamValidator

directory = pathlib.Path(sys.argv[1])
cloudwatch = botocore.session.get_session().get_service_model("cloudwatch")


def validate(operation, members):
    report = ParamValidator().validate(members, cloudwatch.operation_model(operation).input_shape)
    if report.has_errors():
        raise SystemExit(f"failed {operation}: {report.generate_report()}")


def is_alarm(path):
    return not path.name.startswith("alarms.") and path.name != "dashboard.json"


alarms = {}
for path in sorted(filter(is_alarm, directory.glob("*.json"))):
    alarm = json.loads(path.read_text())
    validate("PutMetricAlarm", alarm)
    # Rules of the API that the model does not contain.
    returned = [query["Id"] for query in alarm.get("Metrics", []) if query["ReturnData"]]
    assert len(returned) == (1 if "Metrics" in alarm else 0), path
    assert len(alarm.get("Metrics", [])) <= 11, path
    assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"], path
    alarms[alarm["AlarmName"]] = alarm
    print(f"ok {path.name}: botocore")
assert len(alarms) == 11, sorted(alarms)

template = json.loads((directory / "alarms.template.json").read_text())
in_template = {
    resource["Properties"]["AlarmName"]: resource["Properties"]
    for resource in template["Resources"].values()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
assert in_template == alarms, "CloudFormation has other alarms than the command line"

terraform = json.loads((directory / "alarms.tf.json").read_text())["resource"]
in_terraform = {resource["alarm_name"]: resource for resource in terraform["aws_cloudwatch_metric_alarm"].values()}
assert in_terraform.keys() == alarms.keys()
for name, resource in in_terraform.items():
    alarm = alarms[name]
    assert resource["threshold"] == alarm["Threshold"], name
    assert resource["alarm_actions"] == alarm["AlarmActions"], name
    expressions = [query.get("expression") for query in resource.get("metric_query", [])]
    assert expressions == [query.get("Expression") for query in alarm.get("Metrics", [])], name
print("ok alarms.tf.json: the same alarms as the others")

body = (directory / "dashboard.json").read_text()
validate("PutDashboard", {"DashboardName": "my_application-events", "DashboardBody": body})
[dashboard] = [
    resource["Properties"]["DashboardBody"]
    for resource in template["Resources"].values()
    if resource["Type"] == "AWS::CloudWatch::Dashboard"
]
assert dashboard == body
for widget in json.loads(body)["widgets"]:
    assert widget["type"] == "metric" and widget["properties"]["metrics"], widget
print("ok dashboard.json: botocore")
