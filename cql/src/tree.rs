//! Walks the syntax tree: every part once, in the order of the text.

use crate::statement::*;
use crate::{Name, QualifiedName, Span, Statement};

/// A part of the tree that a walk visits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TreePart<'t> {
    Term(&'t Term),
    Type(&'t CqlType),
    Relation(&'t Relation),
}

pub(crate) trait Tree {
    /// Calls `visit` with this part and each part inside it.
    fn walk<'t>(&'t self, visit: &mut dyn FnMut(TreePart<'t>));

    /// Calls `change` with every span.
    fn spans(&mut self, change: &mut dyn FnMut(&mut Span));
}

pub(crate) fn without_spans(statement: &Statement) -> Statement {
    let mut stripped = statement.clone();
    stripped.spans(&mut |span| *span = Span::default());
    stripped
}

pub(crate) fn eq_ignoring_spans(statement: &Statement, other: &Statement) -> bool {
    without_spans(statement) == other.without_spans()
}

impl Tree for Span {
    fn walk<'t>(&'t self, _: &mut dyn FnMut(TreePart<'t>)) {}

    fn spans(&mut self, change: &mut dyn FnMut(&mut Span)) {
        change(self);
    }
}

impl<T: Tree> Tree for Option<T> {
    fn walk<'t>(&'t self, visit: &mut dyn FnMut(TreePart<'t>)) {
        self.iter().for_each(|part| part.walk(visit));
    }

    fn spans(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.iter_mut().for_each(|part| part.spans(change));
    }
}

impl<T: Tree> Tree for Vec<T> {
    fn walk<'t>(&'t self, visit: &mut dyn FnMut(TreePart<'t>)) {
        self.iter().for_each(|part| part.walk(visit));
    }

    fn spans(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.iter_mut().for_each(|part| part.spans(change));
    }
}

impl<T: Tree> Tree for Box<T> {
    fn walk<'t>(&'t self, visit: &mut dyn FnMut(TreePart<'t>)) {
        self.as_ref().walk(visit);
    }

    fn spans(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.as_mut().spans(change);
    }
}

impl<A: Tree, B: Tree> Tree for (A, B) {
    fn walk<'t>(&'t self, visit: &mut dyn FnMut(TreePart<'t>)) {
        self.0.walk(visit);
        self.1.walk(visit);
    }

    fn spans(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.0.spans(change);
        self.1.spans(change);
    }
}

/// Implements `Tree` for parts without spans.
macro_rules! leaves {
    ($($leaf:ty),* $(,)?) => {$(
        impl Tree for $leaf {
            fn walk<'t>(&'t self, _: &mut dyn FnMut(TreePart<'t>)) {}
            fn spans(&mut self, _: &mut dyn FnMut(&mut Span)) {}
        }
    )*};
}

/// Implements `Tree` for a struct, over its fields in the order of the text. A missing field does not compile.
macro_rules! structs {
    ($($name:ident $(as $part:ident)? { $($field:ident),* })*) => {$(
        impl Tree for $name {
            fn walk<'t>(&'t self, visit: &mut dyn FnMut(TreePart<'t>)) {
                $(visit(TreePart::$part(self));)?
                let Self { $($field),* } = self;
                $($field.walk(visit);)*
            }

            fn spans(&mut self, change: &mut dyn FnMut(&mut Span)) {
                let Self { $($field),* } = self;
                $($field.spans(change);)*
            }
        }
    )*};
}

/// Implements `Tree` for an enum, over its variants and their fields.
macro_rules! enums {
    ($($name:ident { $($variant:ident $(($($field:ident),+))? $({$($named:ident),+})?),* })*) => {$(
        impl Tree for $name {
            fn walk<'t>(&'t self, visit: &mut dyn FnMut(TreePart<'t>)) {
                let _ = &visit;
                match self {$(
                    Self::$variant $(($($field),+))? $({$($named),+})? => {
                        $($($field.walk(visit);)+)?
                        $($($named.walk(visit);)+)?
                    }
                )*}
            }

            fn spans(&mut self, change: &mut dyn FnMut(&mut Span)) {
                let _ = &change;
                match self {$(
                    Self::$variant $(($($field),+))? $({$($named),+})? => {
                        $($($field.spans(change);)+)?
                        $($($named.spans(change);)+)?
                    }
                )*}
            }
        }
    )*};
}

leaves! {
    bool, u64, String, NativeType, ConstantKind, ArithmeticOperator, Operator, SortOrder, JsonDefault, BatchKind, UsingKind,
    AssignmentOperation, UnsupportedKind,
}

structs! {
    Name { text, quoted, span }
    QualifiedName { keyspace, name }
    Term as Term { kind, span }
    Constant { kind, text }
    BindMarker { name, span }
    Call { function, arguments }
    Cast { term, to }
    TypeHint { hint, term }
    Arithmetic { first, rest }
    CqlType as Type { kind, span }
    Relation as Relation { subject, operator, operator_span, comparand, span }
    Selector { term, alias }
    Ordering { target, order, span }
    Limit { rows, span }
    Select {
        span, json, distinct, selection, table, relations, group_by, order_by, per_partition_limit, limit, allow_filtering
    }
    Insert { span, table, content, if_not_exists, using }
    Update { span, table, using, assignments, relations, condition }
    Assignment { target, operation, value, shorthand, span }
    Delete { span, targets, table, using, relations, condition }
    Batch { span, kind, using, statements }
    Using { parameters, span }
    UsingParameter { kind, value, span }
    CreateKeyspace { span, if_not_exists, keyspace, options }
    AlterKeyspace { span, if_exists, keyspace, change }
    DropKeyspace { span, if_exists, keyspace }
    WithOption { name, value, span }
    CreateTable {
        span, if_not_exists, table, columns, primary_keys, clustering_order, compact_storage, options
    }
    ColumnDefinition { name, column_type, is_static, primary_key, span }
    PrimaryKey { partition_key, clustering_columns, span }
    ClusteringOrder { column, order, span }
    AlterTable { span, if_exists, table, change }
    DropTable { span, if_exists, table }
    RestoreTable { span, table, source, options }
    CreateType { span, if_not_exists, name, fields }
    FieldDefinition { name, field_type }
    DropType { span, if_exists, name }
    Use { span, keyspace }
    UnsupportedStatement { span, kind, tables, text }
}

enums! {
    Statement {
        Select(it), Insert(it), Update(it), Delete(it), Batch(it), CreateKeyspace(it), AlterKeyspace(it),
        DropKeyspace(it), CreateTable(it), AlterTable(it), DropTable(it), RestoreTable(it), CreateType(it), DropType(it),
        Use(it), Unsupported(it)
    }
    TermKind {
        Constant(it), Null, Marker(it), Name(it), Call(it), Star, Cast(it), TypeHint(it), Tuple(it), List(it), Set(it),
        Map(it), UserType(it), Negative(it), Arithmetic(it), Access(it)
    }
    Access { Field { base, field }, Element { base, key } }
    CqlTypeKind {
        Native(it), List(it), Set(it), Map(key, value), Tuple(it), Frozen(it), UserDefined(it), Vector(it, dimensions),
        Custom(it)
    }
    Subject { Single(it), Tuple(it), Token(it) }
    Target { Column(it), Element { column, key }, Field { column, field } }
    Comparand { Term(it), Values(it), Range(it), Nothing }
    Selection { All(it), Selectors(it) }
    InsertContent { Values { columns, values }, Json { json, default } }
    Modification { Insert(it), Update(it), Delete(it) }
    Condition { Exists(it), Holds(it) }
    AlterKeyspaceChange { With(it), AddTags(it), DropTags(it) }
    AlterTableChange {
        Add(it), AddWithoutParentheses(it), Drop(it), Rename(it), ColumnType(column, to), DropCompactStorage(it), AddTags(it),
        DropTags(it), AddStreamTags(it), DropStreamTags(it), With(it)
    }
}
