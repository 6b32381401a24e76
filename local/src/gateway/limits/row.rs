//! The size of a row and of its key.

use keyspaces_cql::rules;
use keyspaces_cql::statement::{InsertContent, Relation, Target};

use super::{What, Write};
use crate::auth::Refusal;
use crate::gateway::layout::{Column, is_among};
use crate::gateway::understand::refused_by;

/// How many bytes each row has beside its values (DG:calculating-row-size).
const ROW_METADATA: usize = 100;

/// How many bytes what a statement says of a row has, by column.
#[derive(Debug, Default)]
struct Sizes<'a>(Vec<(&'a str, usize)>);

/// Refuses keys that are too large, and rows that are too large by what the statement writes to them; what they have
/// already is not looked at. Gives the row's size.
///
/// The estimate is the guide's (DG:calculating-row-size) with two simplifications, both downwards: a number has as many
/// bytes as it is sent with, and elements of collections have no metadata.
pub(super) fn check(write: &Write<'_>) -> Result<usize, Refusal> {
    let sizes = sizes(write);
    let layout = &write.layout;
    let of = |columns: &[Column]| -> usize {
        sizes.0.iter().filter(|(name, _)| is_among(columns, name)).map(|(_, size)| size).sum()
    };
    let (partition, clustering) = (of(&layout.partition_key), of(&layout.clustering));
    if partition > rules::MAX_PARTITION_KEY_BYTES {
        return Err(refused_by(&rules::PARTITION_KEY_TOO_LARGE));
    }
    if clustering > rules::MAX_CLUSTERING_BYTES {
        return Err(refused_by(&rules::CLUSTERING_TOO_LARGE));
    }
    let row = 2 * partition + 2 * clustering + clustering.div_ceil(5) + of(&layout.regular) + ROW_METADATA;
    let statics = partition + of(&layout.statics) + ROW_METADATA;
    // Its code is not known: that of the others is assumed.
    if row.max(statics) > rules::MAX_ROW_BYTES {
        return Err(refused_by(&rules::ROW_TOO_LARGE));
    }
    Ok(row.max(statics))
}

fn sizes<'a>(write: &Write<'a>) -> Sizes<'a> {
    let mut sizes = Sizes::default();
    match write.what {
        What::Insert(insert) => {
            if let InsertContent::Values { columns, values } = &insert.content {
                let all = columns.iter().zip(values);
                sizes.0.extend(all.map(|(column, value)| (&*column.text, write.bound.size(value, &column.text))));
            }
        }
        What::Update(update) => {
            for assignment in &update.assignments {
                let column = assignment.target.column();
                let key = match &assignment.target {
                    Target::Element { key, .. } => write.bound.size(key, &format!("key({})", column.text)),
                    _ => 0,
                };
                let value = match &assignment.target {
                    Target::Element { .. } => format!("value({})", column.text),
                    _ => column.text.clone(),
                };
                sizes.0.push((&column.text, key + write.bound.size(&assignment.value, &value)));
            }
            sizes.named_by(&update.relations, write);
        }
        What::Delete(delete) => sizes.named_by(&delete.relations, write),
    }
    sizes
}

impl<'a> Sizes<'a> {
    fn named_by(&mut self, relations: &'a [Relation], write: &Write<'a>) {
        for relation in relations {
            if let Some((column, value)) = relation.equality() {
                self.0.push((&column.text, write.bound.size(value, &column.text)));
            }
        }
    }
}
