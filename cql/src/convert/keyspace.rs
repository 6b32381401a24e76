//! Converts keyspaces.

use super::{Action, Converter};
use crate::allowed::is_ignored_keyspace_option;
use crate::statement::{CreateKeyspace, Term, TermKind, WithOption, option};
use crate::{KeyspaceDefinition, Replication, Statement};

pub(super) fn create_keyspace(converter: &mut Converter, mut create: CreateKeyspace) {
    let single = KeyspaceDefinition::new(create.keyspace.text.as_str()).create().options;
    match create.replication() {
        Some(option) if is_accepted(option) => {}
        Some(option) => {
            let (span, summary) =
                (option.value.span, format!("{} becomes SingleRegionStrategy", replication_class(&option.value)));
            let reason = "Keyspaces keeps three copies in the Region. For several Regions name them with NetworkTopologyStrategy.";
            converter.report(Action::Replaced, span, summary, reason, Some("DG:cql.ddl.keyspace"));
            create.options.retain(|option| option.name.text != "replication");
            create.options.splice(0..0, single);
        }
        None => {
            let summary = format!("the replication of the keyspace {}: SingleRegionStrategy", create.keyspace);
            let reason = "Keyspaces requires it.";
            converter.report(Action::Added, create.keyspace.span, summary, reason, Some("DG:cql.ddl.keyspace"));
            create.options.splice(0..0, single);
        }
    }
    if let Some(durable) = option(&create.options, "durable_writes").map(|option| option.span) {
        let is_false = |value: &Term| value.to_string().to_ascii_lowercase().contains("false");
        if create.durable_writes().is_some_and(|option| is_false(&option.value)) {
            converter.report(
                Action::LeftOut,
                durable,
                "durable_writes",
                "All writes are durable.",
                Some("DG:cql.ddl.keyspace"),
            );
        }
        create.options.retain(|option| option.name.text != "durable_writes");
    }
    let known = |option: &WithOption| ["replication", "tags"].contains(&option.name.text.as_str());
    for option in create.options.iter().filter(|option| !known(option)) {
        let ignored = is_ignored_keyspace_option(option);
        let reason =
            if ignored { "Keyspaces has no use for it." } else { "Keyspaces has no such option of a keyspace." };
        converter.report(Action::LeftOut, option.span, option.name.to_string(), reason, Some("DG:cql.ddl.keyspace"));
    }
    create.options.retain(known);
    converter.statements.push(Statement::CreateKeyspace(create));
}

/// Whether Keyspaces accepts the replication. Several Regions must have the names of AWS Regions.
fn is_accepted(option: &WithOption) -> bool {
    match Replication::read(&option.value) {
        Ok(Replication::MultiRegion(regions)) => regions.iter().all(|region| is_region(region)),
        // Other strategies for a single Region are replaced.
        Ok(Replication::SingleRegion) => replication_class(&option.value).ends_with("SingleRegionStrategy"),
        Err(_) => false,
    }
}

/// Whether a name has the form of an AWS Region: `us-east-1`, `ap-southeast-2`, `us-gov-west-1`.
fn is_region(name: &str) -> bool {
    let parts: Vec<_> = name.split('-').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() >= 3 && parts[0].len() == 2 && parts.last().is_some_and(number)
}

/// The class of a replication, as written.
fn replication_class(value: &Term) -> String {
    let TermKind::Map(entries) = &value.kind else { return "this replication".to_owned() };
    let class = entries.iter().find_map(|(key, value)| match (&key.kind, &value.kind) {
        (TermKind::Constant(key), TermKind::Constant(value)) if key.text == "class" => Some(value.text.clone()),
        _ => None,
    });
    class.unwrap_or_else(|| "this replication".to_owned())
}
