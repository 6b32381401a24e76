use serde_json::{Map, Value, json};

use super::command_line::{pretty, properties};
use super::{Alarm, Dashboard};

/// Returns a CloudFormation template in JSON with these alarms and dashboards.
///
/// The logical id of a resource is its name without characters other than letters and digits, plus a number if two resources
/// would have the same id.
#[must_use]
pub fn cloudformation<'a>(
    alarms: impl IntoIterator<Item = &'a Alarm>,
    dashboards: impl IntoIterator<Item = &'a Dashboard>,
) -> String {
    let mut resources = Map::new();
    for alarm in alarms {
        let resource = json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": properties(alarm) });
        insert(&mut resources, &logical_id(alarm.name()), resource);
    }
    for dashboard in dashboards {
        let body = dashboard.body();
        let properties = json!({ "DashboardName": dashboard.name(), "DashboardBody": body });
        let resource = json!({ "Type": "AWS::CloudWatch::Dashboard", "Properties": properties });
        insert(&mut resources, &logical_id(dashboard.name()), resource);
    }
    pretty(&json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Alarms and dashboards for tables of Amazon Keyspaces",
        "Resources": resources,
    }))
}

/// Adds a resource under this name, or under the first of `name2`, `name3`, … that is free.
pub(super) fn insert(resources: &mut Map<String, Value>, name: &str, resource: Value) {
    let mut free = name.to_owned();
    for number in 2.. {
        if !resources.contains_key(&free) {
            break;
        }
        free = format!("{name}{number}");
    }
    resources.insert(free, resource);
}

/// At most 200 characters, so that a number has room in the 255.
fn logical_id(name: &str) -> String {
    let mut id = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.extend(letters);
    }
    id.truncate(200);
    if id.is_empty() { "Resource".to_owned() } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_logical_ids_are_numbered() {
        let mut resources = Map::new();
        for name in ["ks.t hot partition", "ks_t hot-partition", "ÄÖ"] {
            insert(&mut resources, &logical_id(name), Value::Null);
        }
        assert_eq!(resources.keys().collect::<Vec<_>>(), ["KsTHotPartition", "KsTHotPartition2", "Resource"]);
    }
}
