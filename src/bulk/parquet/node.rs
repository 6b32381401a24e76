//! A column of a Parquet file with its nested parts, and the assembly of its values from their levels.
//!
//! A value is stored as one entry in each leaf for each of its innermost elements. The definition level of an entry says
//! how far down the path from the column to the leaf the value is present. The repetition level says in which list the
//! entry begins a further element.

use std::fmt;
use std::ops::Range;

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::schema::types::Type;

use super::convert::is_taken;
use super::leaf::{LeafPosition, Leaves};
use super::scalar::{Scalar, ScalarKind};
use crate::bulk::value::ValueType;

/// A column, or a nested part of one.
#[derive(Debug)]
pub(super) struct Node {
    /// The definition level of an entry in which this node is not null.
    level: i16,
    /// The leaves below this node.
    leaves: Range<usize>,
    kind: NodeKind,
}

#[derive(Debug)]
enum NodeKind {
    Leaf(ScalarKind),
    List(Repeated, Box<Node>),
    Map(Repeated, Box<Node>, Box<Node>),
    Struct(Vec<(String, Node)>),
}

/// The levels of the elements of a list.
#[derive(Clone, Copy, Debug)]
struct Repeated {
    /// The definition level of an entry in which an element is present.
    level: i16,
    /// The repetition level of an element after the first.
    repetition: i16,
}

/// A value with its nested parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'v> {
    Null,
    Scalar(Scalar<'v>),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Struct(Vec<(&'v str, Self)>),
}

/// The levels of the path above a node.
#[derive(Clone, Copy, Default)]
struct Levels {
    definition: i16,
    repetition: i16,
}

/// The maximum nesting. No known writer nests types deeper; the limit protects the stack from malicious files.
const MAX_NESTING: i16 = 64;

impl Node {
    /// The column of a field of the schema. `leaves` counts the leaves of the columns before it.
    pub(super) fn of_column(field: &Type, leaves: &mut usize) -> Result<Self, String> {
        Self::of(field, Levels::default(), leaves)
    }

    fn of(field: &Type, above: Levels, leaves: &mut usize) -> Result<Self, String> {
        let definition = match repetition(field) {
            Repetition::REQUIRED => above.definition,
            Repetition::OPTIONAL => above.definition + 1,
            // A repeated field without the standard LIST groups around it.
            Repetition::REPEATED => {
                let repeated = Repeated::below(above.definition, above);
                let element = Self::of_element(field, repeated, leaves)?;
                let leaves = element.leaves.clone();
                return Ok(Self { level: above.definition, leaves, kind: NodeKind::List(repeated, Box::new(element)) });
            }
        };
        Self::of_present(field, Levels { definition, ..above }, leaves)
    }

    /// A node whose own level is known.
    fn of_present(field: &Type, at: Levels, leaves: &mut usize) -> Result<Self, String> {
        if at.definition > MAX_NESTING {
            return Err(format!("{} is nested too deeply", field.name()));
        }
        let first = *leaves;
        let kind = if field.is_primitive() {
            *leaves += 1;
            NodeKind::Leaf(ScalarKind::of(field).map_err(|name| format!("{name} has no form in CQL"))?)
        } else if is_annotated(field, &LogicalType::List, &[ConvertedType::LIST]) {
            let [repeated] = field.get_fields() else {
                return Err(format!("the list {} has no elements", field.name()));
            };
            let levels = Repeated::below(at.definition, at);
            NodeKind::List(levels, Box::new(Self::of_element_in(repeated, levels, leaves)?))
        } else if is_annotated(field, &LogicalType::Map, &[ConvertedType::MAP, ConvertedType::MAP_KEY_VALUE]) {
            let [repeated] = field.get_fields() else { return Err(format!("the map {} has no pairs", field.name())) };
            let levels = Repeated::below(at.definition, at);
            let pair = if repeated.is_primitive() { &[] } else { repeated.get_fields() };
            let [key, value] = pair else { return Err(format!("the map {} has no pairs", field.name())) };
            let inside = Levels { definition: levels.level, repetition: levels.repetition };
            let key = Self::of(key, inside, leaves)?;
            NodeKind::Map(levels, Box::new(key), Box::new(Self::of(value, inside, leaves)?))
        } else {
            let named =
                |field: &parquet::schema::types::TypePtr| Ok((field.name().to_owned(), Self::of(field, at, leaves)?));
            let fields = field.get_fields().iter().map(named).collect::<Result<Vec<_>, String>>()?;
            if fields.is_empty() {
                return Err(format!("the group {} has no fields", field.name()));
            }
            NodeKind::Struct(fields)
        };
        Ok(Self { level: at.definition, leaves: first..*leaves, kind })
    }

    /// The element of a list. By the compatibility rules of Parquet, old files may have no group around it.
    fn of_element_in(repeated: &Type, levels: Repeated, leaves: &mut usize) -> Result<Self, String> {
        if repeated.is_group()
            && let [element] = repeated.get_fields()
            && repeated.name() != "array"
            && !repeated.name().ends_with("_tuple")
        {
            let inside = Levels { definition: levels.level, repetition: levels.repetition };
            return Self::of(element, inside, leaves);
        }
        Self::of_element(repeated, levels, leaves)
    }

    fn of_element(field: &Type, levels: Repeated, leaves: &mut usize) -> Result<Self, String> {
        Self::of_present(field, Levels { definition: levels.level, repetition: levels.repetition }, leaves)
    }

    /// Checks that the node's values can be values of the type; an error names the node's type.
    pub(super) fn check(&self, value_type: &ValueType) -> Result<(), String> {
        match (&self.kind, value_type) {
            // Text may contain JSON for any type.
            (NodeKind::Leaf(ScalarKind::Text), _) => Ok(()),
            (NodeKind::Leaf(kind), ValueType::Native(native)) if is_taken(*kind, *native) => Ok(()),
            (NodeKind::List(_, element), ValueType::List(value_type) | ValueType::Set(value_type)) => {
                element.check(value_type)
            }
            (NodeKind::Map(_, key, value), ValueType::Map(of_key, of_value)) => {
                key.check(of_key).and_then(|()| value.check(of_value))
            }
            (NodeKind::Struct(fields), ValueType::Tuple(types)) if fields.len() == types.len() => {
                fields.iter().zip(types).try_for_each(|((_, field), value_type)| field.check(value_type))
            }
            (NodeKind::Struct(fields), ValueType::UserDefined(types)) => {
                fields.iter().try_for_each(|(name, field)| match types.iter().find(|(known, _)| known == name) {
                    Some((_, value_type)) => field.check(value_type),
                    None => Err(format!("{self}, and the type has no field {name:?}")),
                })
            }
            _ => Err(self.to_string()),
        }
    }

    pub(super) fn leaves(&self) -> Range<usize> {
        self.leaves.clone()
    }

    /// Takes the value that begins at the positions `at`, and advances them. `None` if the levels of the leaves
    /// contradict each other.
    pub(super) fn take<'v>(&'v self, leaves: &'v Leaves, at: &mut [LeafPosition]) -> Option<Value<'v>> {
        let first = self.leaves.start;
        let definition = leaves.get(first)?.definition(at.get(first)?)?;
        let absent = |at: &mut [LeafPosition]| {
            self.leaves.clone().try_for_each(|leaf| at.get_mut(leaf).map(|position| position.level += 1))
        };
        if definition < self.level {
            absent(at)?;
            return Some(Value::Null);
        }
        match &self.kind {
            NodeKind::Leaf(kind) => leaves.get(first)?.take(*kind, at.get_mut(first)?).map(Value::Scalar),
            NodeKind::Struct(fields) => {
                let field = |(name, node): &'v (String, Self)| Some((name.as_str(), node.take(leaves, at)?));
                fields.iter().map(field).collect::<Option<_>>().map(Value::Struct)
            }
            NodeKind::List(levels, _) | NodeKind::Map(levels, ..) if definition < levels.level => {
                absent(at)?;
                Some(if matches!(self.kind, NodeKind::Map(..)) {
                    Value::Map(Vec::new())
                } else {
                    Value::List(Vec::new())
                })
            }
            NodeKind::List(levels, element) => {
                let mut values = vec![element.take(leaves, at)?];
                while leaves.get(first)?.repetition(at.get(first)?) == Some(levels.repetition) {
                    values.push(element.take(leaves, at)?);
                }
                Some(Value::List(values))
            }
            NodeKind::Map(levels, key, value) => {
                let mut pairs = vec![(key.take(leaves, at)?, value.take(leaves, at)?)];
                while leaves.get(first)?.repetition(at.get(first)?) == Some(levels.repetition) {
                    pairs.push((key.take(leaves, at)?, value.take(leaves, at)?));
                }
                Some(Value::Map(pairs))
            }
        }
    }
}

impl Repeated {
    fn below(definition: i16, above: Levels) -> Self {
        Self { level: definition + 1, repetition: above.repetition + 1 }
    }
}

fn repetition(field: &Type) -> Repetition {
    let info = field.get_basic_info();
    if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED }
}

fn is_annotated(field: &Type, logical: &LogicalType, converted: &[ConvertedType]) -> bool {
    let info = field.get_basic_info();
    info.logical_type_ref() == Some(logical) || converted.contains(&info.converted_type())
}

/// The name of the type in Parquet.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::Leaf(kind) => kind.fmt(f),
            NodeKind::List(..) => f.write_str("LIST"),
            NodeKind::Map(..) => f.write_str("MAP"),
            NodeKind::Struct(fields) => {
                let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
                write!(f, "a group of {}", names.join(", "))
            }
        }
    }
}
