use super::*;

#[test]
fn advice_has_ids_of_its_own_and_a_source() {
    let mut ids = HashSet::new();
    for advice in advice::all() {
        assert!(ids.insert(advice.id) && crate::rules::with_id(advice.id).is_none(), "{}", advice.id);
        assert!(advice.source.starts_with("DG:"), "{}", advice.id);
    }
}
