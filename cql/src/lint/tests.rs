use super::*;

#[test]
fn lint_advice_has_unique_ids_and_cites_its_source() {
    let mut ids = HashSet::new();
    for advice in advice::all() {
        assert!(ids.insert(advice.id) && crate::rules::with_id(advice.id).is_none(), "{}", advice.id);
        assert!(advice.source.starts_with("DG:"), "{}", advice.id);
    }
}
