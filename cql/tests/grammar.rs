//! The rules of Cassandra 3.11's grammar and of the guide's grammars that the parser reads, each with examples in
//! `grammar.txt`.

use std::collections::BTreeSet;

use keyspaces_cql::parse;

const TABLE: &str = include_str!("grammar.txt");

/// The rules of Cassandra 3.11's Parser.g. Rules that are only a part of a listed rule are left out: kinds of permissions
/// and resources, options of users and roles, names of indexes and functions, and markers for whole tuples.
const RULES: &str = "alterKeyspaceStatement alterMaterializedViewStatement alterRoleStatement alterTableStatement \
    alterTypeStatement alterUserStatement batchStatement batchStatementObjective cfamColumns cfamDefinition cfamOrdering \
    cfamProperty cident collectionColumnOperation collectionLiteral collection_type columnCondition columnFamilyName \
    columnOperation comparatorType constant cqlStatement createAggregateStatement createFunctionStatement \
    createIndexStatement createKeyspaceStatement createMaterializedViewStatement createRoleStatement createTableStatement \
    createTriggerStatement createTypeStatement createUserStatement customIndexExpression deleteOp deleteSelection \
    deleteStatement dropAggregateStatement dropFunctionStatement dropIndexStatement dropKeyspaceStatement \
    dropMaterializedViewStatement dropRoleStatement dropTableStatement dropTriggerStatement dropTypeStatement \
    dropUserStatement fident function functionName grantPermissionsStatement grantRoleStatement groupByClause ident inMarker \
    indexIdent insertStatement intValue jsonInsertStatement jsonValue keyspaceName listPermissionsStatement \
    listRolesStatement listUsersStatement mapLiteral native_type noncol_ident normalColumnOperation normalInsertStatement \
    orderByClause pkDef properties property propertyValue relation relationType revokePermissionsStatement \
    revokeRoleStatement selectClause selectStatement selectionFunctionArgs selector setOrMapLiteral singleColumnInValues \
    term truncateStatement tupleLiteral tupleOfIdentifiers tupleOfMarkersForTuples tupleOfTupleLiterals tuple_type \
    typeColumns udtColumnOperation unaliasedSelector updateConditions updateStatement useStatement userOrRoleName \
    userTypeName usertypeLiteral usingClause usingClauseDelete usingClauseObjective value whereClause";

#[test]
fn every_grammar_example_parses_as_expected() {
    let mut wrong = String::new();
    let mut lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(text) = lines.next() {
        let expected = lines.next().unwrap();
        let actual = match parse(text) {
            Ok(statement) if statement.to_string() == text => "=".to_owned(),
            Ok(statement) => format!("= {statement}"),
            Err(error) => format!("! {error}"),
        };
        let unchanged = actual == "=" && expected.strip_prefix("= ") == Some(text);
        if actual != expected && !unchanged {
            wrong += &format!("\n{text}\n{actual}\n   (the table: {expected})\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_of_the_grammar_has_examples() {
    let named: BTreeSet<_> = TABLE
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split([' ', ':']).next())
        .filter(|word| word.starts_with(char::is_lowercase))
        .collect();
    let rules: BTreeSet<_> = RULES.split_whitespace().collect();
    assert_eq!(rules.difference(&named).collect::<Vec<_>>(), Vec::<&&str>::new());
}
